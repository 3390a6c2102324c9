"""The command that shows an avatar: up to the server, which is a stand-in that remembers what it is to serve."""

import pytest
import torch

pytest.importorskip("viser", reason="needs the extra `viewer`")
pytest.importorskip("fast_simplification", reason="needs the extra `viewer`")

from imavatar.cli import exp_runner_main, view_main
from imavatar.head.assets import save_head
from imavatar.types import HeadParameters
from imavatar.viewer import app
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import write_config


@pytest.fixture
def conf(tmp_path, monkeypatch) -> str:
    """The configuration of a sphere that was trained for an epoch."""
    write_subject(tmp_path)
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    conf = write_config(tmp_path, extra="train.warm_start_steps = 100\n")
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    return conf


def test_the_avatar_its_sliders_and_motions_are_served(conf, tmp_path, monkeypatch, capsys):
    served = []

    class Viewer:
        def __init__(self, *what):
            served.append(what)

        def addresses(self):
            return ["http://somewhere/"]

        def stop(self):
            served.append("stopped")

    class Event:
        def wait(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(app, "Viewer", Viewer)
    monkeypatch.setattr("imavatar.cli.view.threading.Event", Event)
    recording = tmp_path / "sphere" / "sphere" / "train" / "flame_params.json"
    arguments = ["--motion", str(recording), "--size", "64", "--resolution", "24", "--faces", "600", "--port", "9999"]
    with pytest.raises(SystemExit) as stop:
        view_main(["--conf", conf, *arguments])
    assert stop.value.code == 130 and served.pop() == "stopped"
    assert "open http://somewhere/" in capsys.readouterr().out
    ((renderer, scene, settings),) = served
    assert (settings.host, settings.port, settings.size) == ("127.0.0.1", 9999, 64)
    assert list(scene.motions) == ["sweep", "train"] and len(scene.motions["sweep"]) == 250
    assert "jaw open" in [control.label for control in scene.controls]
    assert (scene.view.height, len(scene.neutral), len(scene.view.camera)) == (32, 1, 1)
    head = HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15))
    camera = scene.view.camera
    images = [renderer.draw(head, camera, 32, 32), *renderer.refine(head, camera, 32, 32, lambda: True)]
    for image in images:
        assert image.shape == (32, 32, 3) and 0.05 < (image < 250).any(axis=-1).mean() < 0.95


def test_sizes_that_show_nothing_are_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        view_main(["--conf", "no.conf", "--size", "8"])
    assert stop.value.code == 2 and "--size is 8, expected at least 64" in capsys.readouterr().err
