"""Budgets, and the configurations of their runs."""

from dataclasses import replace

import pytest

from imavatar import build
from imavatar.assets import project_dir
from imavatar.comparison.plan import (
    CONTENDERS,
    OVERNIGHT,
    SMALL,
    Places,
    keep_budget,
    keep_commit,
    subjects_of,
    write_conf,
)
from imavatar.config import load_config
from imavatar.errors import ConfigError

BASELINES = project_dir() / "confs" / "baselines"


def test_every_method_makes_the_same_steps():
    assert SMALL.steps == 1200 and OVERNIGHT.steps == 3600
    assert replace(SMALL, minutes=0.001).steps == SMALL.frames["train"]
    assert subjects_of(OVERNIGHT) == ["subject_00", "subject_01", "subject_02"]


def test_a_configuration_is_the_methods_own_with_the_budgets_data_and_schedule(tmp_path):
    places = Places(tmp_path / "with space")
    seen = []
    for contender in CONTENDERS:
        path = write_conf(places, SMALL, "subject_01", contender, BASELINES)
        config, own = load_config(path), load_config(BASELINES / contender.conf)
        assert config.model == own.model and config.loss == own.loss
        assert config.train.nepoch == SMALL.epochs
        assert config.train.alpha_milestones == (2, 5, 8, 10, 12)
        assert config.dataset.test.sub_dir == ("test_interpolation", "test_extrapolation", "test_views")
        assert build.build_run_folder(config).root == places.run("subject_01", contender.name)
        seen.append(config.train.methodname)
    assert sorted(seen) == sorted(c.name for c in CONTENDERS)


def test_a_folder_keeps_its_budget(tmp_path):
    places = Places(tmp_path / "results")
    keep_budget(places, SMALL)
    keep_budget(places, SMALL)
    with pytest.raises(ConfigError, match=r"budget\.json: begun with another budget \(subjects was 2, now 3\)"):
        keep_budget(places, replace(SMALL, subjects=3))
    places.budget.write_text("{")
    with pytest.raises(ConfigError, match="is no JSON file"):
        keep_budget(places, SMALL)


def test_every_commit_that_took_part_is_named_once(tmp_path):
    places = Places(tmp_path)
    assert [keep_commit(places, commit) for commit in ("a1", "b2", "a1")] == ["a1", "a1, b2", "a1, b2"]
