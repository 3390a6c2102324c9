"""Keys and files of version 0.1.0: read with a warning, and runs made with them go on."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.config import dump_config, load_config, parse_config
from imavatar.config.parse import DEPRECATED_CONFS, DEPRECATED_KEYS
from imavatar.errors import ConfigError
from imavatar.head.assets import save_head
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import model_state, run_folder, write_config

NEW = "train.recentre_frame_params = True\ntrain.texture_only_steps = 2\n"
OLD = "train.centred_frames = True\ntrain.texture_first_steps = 2\n"


def test_old_keys_mean_what_their_present_names_mean(tmp_path, caplog):
    new = load_config(write_config(tmp_path, extra=NEW))
    assert not caplog.records
    assert load_config(write_config(tmp_path, extra=OLD)) == new
    for old, current in DEPRECATED_KEYS.items():
        assert f"{old} is called {current} now" in caplog.text


def test_an_old_key_beside_its_present_name_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"train\.centred_frames and train\.recentre_frame_params are both given"):
        load_config(write_config(tmp_path, extra=NEW + "train.centred_frames = False\n"))


def test_a_wrong_value_of_an_old_key_is_refused_under_its_present_name(tmp_path):
    with pytest.raises(ConfigError, match=r"train\.texture_only_steps is"):
        load_config(write_config(tmp_path, extra="train.texture_first_steps = many\n"))


@pytest.mark.parametrize(("old", "method"), [("quick_video.conf", "quick"), ("fast_longer.conf", "fast_longer")])
def test_an_old_configuration_is_the_new_one_in_the_folder_that_its_runs_had(old, method, caplog):
    new = load_config(DEPRECATED_CONFS[old])
    assert not caplog.records and new.train.methodname == DEPRECATED_CONFS[old].removesuffix(".conf")
    found = load_config(old)
    assert f"{old} is called {DEPRECATED_CONFS[old]} now" in caplog.text
    assert found == replace(new, train=replace(new.train, methodname=method))


def test_a_users_own_file_may_have_an_old_name(tmp_path, caplog):
    (tmp_path / "quick_video.conf").write_text(Path(write_config(tmp_path)).read_text())
    load_config(tmp_path / "quick_video.conf")
    assert not caplog.records


def test_renamed_keys_stay_in_their_section():
    sections = [(old.rpartition(".")[0], new.rpartition(".")[0]) for old, new in DEPRECATED_KEYS.items()]
    assert all(old == new for old, new in sections)


def test_the_order_of_a_dumped_configurations_keys_says_nothing(tmp_path):
    config = load_config(write_config(tmp_path, extra=NEW))
    lines = dump_config(config).splitlines()
    first = lines.index("train {") + 1
    last = lines.index("}", first)
    turned = [*lines[:first], *_blocks(lines[first:last])[::-1], *lines[last:]]
    assert turned != lines and parse_config("\n".join(turned), "turned") == config


def _blocks(lines: list[str]) -> list[str]:
    """Lines, those of an inner section joined."""
    found = []
    for line in lines:
        if found and found[-1].count("{") > found[-1].count("}"):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def test_a_run_that_was_made_with_old_keys_is_finished_and_goes_on(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    write_subject(tmp_path)
    save_head(tmp_path / "head.npz", ellipsoid_head())
    conf = write_config(tmp_path, extra=NEW)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    run = run_folder(tmp_path)
    for path in (run / "config.conf", run / "train" / "finished.json"):
        text = path.read_text()
        for old, new in DEPRECATED_KEYS.items():
            text = text.replace(new.rpartition(".")[2], old.rpartition(".")[2])
        assert text != path.read_text()
        path.write_text(text)
    trained = model_state(tmp_path, "latest")
    caplog.clear()
    caplog.set_level("INFO")
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    assert "is finished (1 epochs)" in caplog.text and "is called" not in caplog.text
    assert all(torch.equal(value, trained[key]) for key, value in model_state(tmp_path, "latest").items())
    exp_runner_main(["--conf", str(run / "config.conf"), "--nepoch", "2", "--is_continue"])
    assert "resuming at epoch 1" in caplog.text
