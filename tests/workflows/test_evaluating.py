"""A trained run scored from a program: one rendering, one set of numbers, in the run's folder."""

import pytest

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.errors import ConfigError
from imavatar.head.assets import save_head
from imavatar.workflows import evaluating
from imavatar.workflows.evaluating import ScoreOptions, evaluate_run, score_run
from imavatar.workflows.trained import load
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import run_folder, write_config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    write_subject(root, n_frames=2)
    save_head(root / "head.npz", ellipsoid_head())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAVATAR_ASSETS", str(root / "none"))
        exp_runner_main(["--conf", write_config(root), "--nepoch", "1"])
        yield load(run_folder(root))


def test_an_evaluation_and_a_score_are_the_same_records(trained, monkeypatch, capsys):
    found = evaluate_run(trained)
    mean = found.sequences["test"].mean
    assert found.report.is_file() and found.agreements["test"].rays > 0
    folder = found.sequences["test"].folder
    before = {path.name: path.read_bytes() for path in folder.glob("protocol_*")}
    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "score", lambda *_, **__: pytest.fail("rendered again"))
        scored = score_run(trained, ["full", "mask", "face"])["test"]
    assert scored["full"].mean["psnr"] == mean["psnr"] and scored["face"].mean["ssim"] == mean["ssim_face"]
    again = score_run(trained, ["full", "mask", "face", "paper", "foreground"], ScoreOptions(again=True))["test"]
    assert {path.name: path.read_bytes() for path in folder.glob("protocol_*")}.items() >= before.items()
    assert again["paper"].mean == again["face"].mean and again["foreground"].mean == again["mask"].mean
    assert again["paper"].size == (32, 32) and again["paper"].frames == 2
    assert capsys.readouterr().out == ""


def test_renderings_are_kept_where_they_are_asked_for(trained):
    folder = trained.folder.evaluation("test", trained.epoch)
    score_run(trained, ["no-cloth"], ScoreOptions(fit=True, images=True))
    assert {path.name for path in (folder / "rgb").iterdir()} == {"1.png", "2.png"}
    assert (folder / "protocol_no-cloth_fit.csv").is_file()


def test_a_protocol_that_does_not_exist_is_refused_before_anything_is_rendered(trained, monkeypatch):
    monkeypatch.setattr(evaluating, "score", lambda *_, **__: pytest.fail("rendered"))
    with pytest.raises(ConfigError, match="no protocol head"):
        score_run(trained, ["head"])
