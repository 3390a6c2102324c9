"""Arguments that no command can do anything with are refused before it begins, in one short line."""

import argparse

import pytest

from commands import main_of
from imavatar.cli import arguments

REQUIRED = {
    "animate": ["--conf", "no.conf", "--out", "a.mp4"],
    "check_data": ["--conf", "no.conf"],
    "evaluate": ["run"],
    "export_avatar": ["--conf", "no.conf", "--out", "a.glb"],
    "preprocess": ["--subject", "me", "--video", "a.mp4"],
    "split": ["--subject", "me"],
    "track_images": ["--subject", "me"],
}
REFUSED = [
    ("animate", "--frames", ["0", "-1", "1" + "0" * 30, "9" * 5000, "1e3", "²", "nan", ""]),
    ("animate", "--fps", ["0", "-1", "inf", "nan", "1e300", "1e-300", "x"]),
    ("animate", "--supersample", ["0", "-1", "1000"]),
    ("benchmark", "--rays", ["0", "1" + "0" * 30]),
    ("benchmark", "--size", ["0", "1000000"]),
    ("benchmark", "--repeats", ["0", "-5"]),
    ("build_head", "--seed", ["-1", "1" + "0" * 30]),
    ("check_data", "--frames", ["0", "1" + "0" * 30]),
    ("evaluate", "--sequence", ["", "..", "a/b", "/etc", "a\nb", "x" * 300]),
    ("export_avatar", "--resolution", ["7", "100000"]),
    ("export_avatar", "--faces", ["3", "1" + "0" * 30]),
    ("export_avatar", "--texture", ["-1", "1000000"]),
    ("export_avatar", "--expressions", ["-1", "99999"]),
    ("export_avatar", "--average", ["-1"]),
    ("export_avatar", "--check", ["-1"]),
    ("make_synthetic", "--size", ["0", "7", "1" + "0" * 30]),
    ("make_synthetic", "--samples", ["0", "-1", "1" + "0" * 30]),
    ("make_synthetic", "--seed", ["-1"]),
    ("make_synthetic", "--workers", ["-1", "1000000"]),
    ("make_synthetic", "--train", ["0"]),
    ("make_synthetic", "--test", ["0"]),
    ("make_synthetic", "--strong-motion", ["-1"]),
    ("make_synthetic", "--subject", ["", "../x", "a\x1bb"]),
    ("make_synthetic", "--subjects", ["0", "1" + "0" * 30]),
    ("make_synthetic", "--frames", ["train", "train=0", "train=²", "none=3", "train=" + "9" * 5000]),
    ("preprocess", "--subject", ["", "../x", ".", "a\\b"]),
    ("preprocess", "--size", ["0", "1000000"]),
    ("preprocess", "--fps", ["0", "inf", "1e300"]),
    ("preprocess", "--focal", ["0", "nan", "1e30"]),
    ("preprocess", "--crop", ["²,1,1", "1,1", "1,1,1,1", "-1,0,5", "1,1," + "9" * 5000, "1,,1"]),
    ("reproduce", "--subjects", ["0", "x"]),
    ("reproduce", "--minutes", ["0", "inf", "nan", "1e300"]),
    ("reproduce", "--size", ["0", "31"]),
    ("reproduce", "--supersample", ["0"]),
    ("reproduce", "--frames", ["train=²", "train=0"]),
    ("reproduce", "--methods", ["", "imavatar,x" + "y" * 5000]),
    ("reproduce", "--jobs", ["0"]),
    ("reproduce", "--seed", ["-1"]),
    ("preprocess", "--split", ["first", ""]),
    ("split", "--subject", ["../x", ""]),
    ("split", "--split", ["first"]),
    ("track_images", "--subject", ["../x"]),
    ("track_images", "--json", ["../x.json", ""]),
    ("track_images", "--sub_dirs", ["train,../test"]),
]


@pytest.mark.parametrize(
    ("name", "option", "text"), [(name, option, text) for name, option, texts in REFUSED for text in texts]
)
def test_impossible_arguments_are_refused(name, option, text, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main_of(name)([*REQUIRED.get(name, []), f"{option}={text}"])
    assert stop.value.code == 2
    line = capsys.readouterr().err.rstrip("\n").split("\n")[-1]
    assert f"error: argument {option}" in line and len(line) < 400 and line.isprintable()
    assert not list(tmp_path.iterdir())


def test_numbers_are_read_as_they_are_written():
    assert [arguments.whole(-3, 8)(text) for text in ("8", "-3", "+4", "007")] == [8, -3, 4, 7]
    assert [arguments.between(0.5, 8)(text) for text in ("8", "0.5", "1e0")] == [8.0, 0.5, 1.0]
    assert arguments.positive(2.0)("1e-9") == 1e-9
    assert arguments.square("3, 4, 5") == (3, 4, 5)
    assert arguments.frame_counts("b=3,a=1", ("a", "b")) == {"b": 3, "a": 1}
    assert arguments.names_of(["a", "b"])("b,a") == ["b", "a"]
    assert arguments.plain_name("Å b") == "Å b"


def test_every_number_of_these_commands_has_bounds(monkeypatch):
    """Neither `int` nor `float`, which take any number, is the type of an argument."""
    unbounded = []
    added = argparse.ArgumentParser.add_argument

    def add(self, *names, **options):
        if options.get("type") in (int, float):
            unbounded.append(names)
        return added(self, *names, **options)

    monkeypatch.setattr(argparse._ActionsContainer, "add_argument", add)
    for name in sorted({name for name, _, _ in REFUSED}):
        with pytest.raises(SystemExit):
            main_of(name)(["--help"])
    assert not unbounded


def test_an_old_name_is_taken_and_warned_of(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--new", "--old", action=arguments.renamed("--old"), type=int)
    assert parser.parse_args(["--old", "3"]).new == 3
    assert "warning: --old is called --new now" in capsys.readouterr().err
    assert parser.parse_args(["--new", "3"]).new == 3
    assert not capsys.readouterr().err
