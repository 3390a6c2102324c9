"""Names: one part of a path each, wherever they come from."""

import os

import pytest

from imavatar import build
from imavatar.config import load_config
from imavatar.errors import ConfigError
from imavatar.names import is_name, shown

GOOD = ["a", "018", "a b", "Zoë", "名前", "a.b", ".hidden", "...", "-", "a" * 255, "é" * 127, "${x}", 'a "b"', "a+b"]
BAD = {
    "empty": "",
    "space": " ",
    "this folder": ".",
    "the folder above": "..",
    "a path": "a/b",
    "a path above": "../a",
    "an absolute path": "/etc",
    "a path of Windows": "a\\b",
    "a null byte": "a\0b",
    "a line end": "a\nb",
    "a tab": "a\tb",
    "an escape sequence": "\x1b[2J",
    "a control character of eight bits": "a\x85b",
    "a line separator": "a\u2028b",
    "half a surrogate pair": "a\udc80",
    "space before": " a",
    "space after": "a\u00a0",
    "256 bytes": "a" * 256,
    "256 bytes of 128 characters": "é" * 128,
}
CONF = """
dataset {{ subject_name = "{subject}", json_name = "{json}" }}
dataset {{ train {{ sub_dir = {train} }}, test {{ sub_dir = {test} }} }}
train.methodname = "{method}"
"""


@pytest.fixture
def load(tmp_path):
    """Load a configuration with some names."""

    def load_names(*, subject="ada", json="x.json", train='["a"]', test='["b"]', method="m"):
        path = tmp_path / "some.conf"
        path.write_text(CONF.format(subject=subject, json=json, train=train, test=test, method=method))
        return load_config(path)

    return load_names


@pytest.mark.parametrize("name", GOOD)
def test_a_name_can_be_a_folder(tmp_path, name):
    assert is_name(name)
    (tmp_path / name).mkdir()
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_name(case):
    assert not is_name(BAD[case])


@pytest.mark.parametrize("name", ["../../etc", "/etc", "..", "", "a/b", "a b ", "x" * 256])
@pytest.mark.parametrize(
    ("argument", "key", "value"),
    [
        ("subject", "dataset.subject_name", "{}"),
        ("json", "dataset.json_name", "{}"),
        ("method", "train.methodname", "{}"),
        ("train", "dataset.train.sub_dir", '["{}"]'),
        ("test", "dataset.test.sub_dir", '["{}"]'),
    ],
)
def test_a_name_of_a_configuration_stays_in_its_folder(load, argument, key, value, name):
    with pytest.raises(ConfigError, match=rf"some\.conf: {key} is .*expected .*one part of a path") as caught:
        load(**{argument: value.format(name)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_sequence_named_twice_is_refused(load, split):
    with pytest.raises(ConfigError, match=rf"dataset\.{split}\.sub_dir is .*none of them twice"):
        load(**{split: '["a", "b", "a"]'})


def test_the_run_folder_of_many_sequences_must_have_a_name(load):
    names = [f'"{letter * 84}"' for letter in "abc"]
    assert is_name(build.build_run_folder(load(train=f"[{', '.join(names)}]")).root.name)
    with pytest.raises(ConfigError, match=r"dataset\.train\.sub_dir.*joined by \+ are 256 bytes long.*at most 255"):
        load(train=f"[{', '.join([*names, chr(34) + 'd' + chr(34)])}]")


def test_the_runs_folder_is_below_exps_folder_whatever_the_names(load):
    config = load(subject="Zoë 1", method="${x}", train='["..a", "+"]')
    root = build.build_run_folder(config).root
    assert root.parts[-3:] == ("Zoë 1", "${x}", "..a++")


@pytest.mark.parametrize("name", ["../../etc", "/etc", "", ".", "a\nb", "a\udc80"])
def test_names_of_the_command_line_are_held_to_the_same_rule(load, name):
    config = load()
    with pytest.raises(ConfigError, match=r"--subject is .*one part of a path") as caught:
        build.with_subject(config, name)
    assert "\n" not in str(caught.value)
    str(caught.value).encode()
    with pytest.raises(ConfigError, match=r"--sequence is .*one part of a path"):
        build.with_test_dir(config, name)


def test_good_names_of_the_command_line_are_taken(load):
    config = load()
    assert build.with_subject(config, None) == config
    assert build.with_subject(config, "bob").dataset.subject_name == "bob"
    assert build.with_test_dir(config, "c").dataset.test.sub_dir == ("c",)


def test_text_in_messages_is_one_printable_line():
    assert shown("Zoë a") == "Zoë a"
    assert shown("a\nb\x1b\udc80") == r"a\nb\x1b\udc80"
    assert len(shown("x" * 1000)) == 80
