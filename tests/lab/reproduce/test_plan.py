"""Budgets, and the configurations of their runs."""

from dataclasses import replace

import pytest

from imavatar import build
from imavatar.config import load_config
from imavatar.errors import ConfigError
from imavatar.paths import project_dir
from imavatar_lab.reproduce.plan import (
    METHODS,
    OVERNIGHT,
    SMALL,
    STEPS_A_MINUTE,
    Paths,
    check_budget,
    note_budget,
    note_commit,
    subjects_of,
    write_conf,
)

BASELINES = project_dir() / "confs" / "baselines"


def test_every_method_makes_the_same_steps():
    for budget in (SMALL, OVERNIGHT, replace(SMALL, minutes=0.001)):
        n_frames, wanted = budget.frames["train"], budget.minutes * STEPS_A_MINUTE
        # Whole passes over the frames, at least one, and as near to the minutes as these allow.
        assert budget.steps % n_frames == 0 and budget.steps >= n_frames
        assert abs(budget.steps - max(wanted, n_frames)) <= n_frames / 2
    assert subjects_of(OVERNIGHT) == ["subject_00", "subject_01", "subject_02"]


def test_a_configuration_is_the_methods_own_with_the_budgets_data_and_schedule(tmp_path):
    paths = Paths(tmp_path / "with space")
    seen = []
    for method in METHODS:
        path = write_conf(paths, SMALL, "subject_01", method, BASELINES)
        config, own = load_config(path), load_config(BASELINES / method.conf)
        assert config.model == own.model and config.loss == own.loss
        assert config.train.nepoch == SMALL.epochs
        milestones = config.train.alpha_milestones
        assert len(milestones) == 5 and list(milestones) == sorted(set(milestones))
        # Sixths of the training.
        assert all(abs(m - k * SMALL.epochs / 6) <= 0.5 for k, m in enumerate(milestones, start=1))
        assert config.dataset.test.sub_dir == ("test_interpolation", "test_extrapolation", "test_views")
        assert build.build_run_folder(config).root == paths.run("subject_01", method.name)
        seen.append(config.train.methodname)
    assert sorted(seen) == sorted(c.name for c in METHODS)


def test_a_folder_keeps_its_budget(tmp_path):
    paths = Paths(tmp_path / "results")
    check_budget(paths, SMALL)
    assert not paths.root.exists()
    note_budget(paths, SMALL)
    check_budget(paths, SMALL)
    with pytest.raises(ConfigError, match=r"budget\.json: begun with another budget \(subjects was 2, now 3\)"):
        check_budget(paths, replace(SMALL, subjects=3))
    paths.budget.write_text("{")
    with pytest.raises(ConfigError, match="is no JSON file"):
        check_budget(paths, SMALL)


def test_every_commit_that_took_part_is_named_once(tmp_path):
    paths = Paths(tmp_path)
    assert [note_commit(paths, commit) for commit in ("a1", "b2", "a1")] == ["a1", "a1, b2", "a1, b2"]
