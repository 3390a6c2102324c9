"""docs/configuration.md against the schema: every key, with its default."""

import dataclasses
import re
import typing
from pathlib import Path

from imavatar.config import Config, load_config

REFERENCE = Path(__file__).parents[1] / "docs" / "configuration.md"
ROW = re.compile(r"^\| `(?P<key>[\w.]+)`(?P<added> \*)? \| (?P<default>[^|]+?) \|", re.MULTILINE)


def documented() -> dict[str, str]:
    """Default as written, by the key's full path."""
    found = {}
    for section in re.split(r"^## ", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name = section.split("\n", 1)[0].strip()
        prefix = "" if name == "top level" else f"{name}."
        found.update({prefix + row["key"]: row["default"].strip("`") for row in ROW.finditer(section)})
    return found


def required_keys(schema: type, prefix: str = "") -> set[str]:
    """Keys without a default."""
    types = typing.get_type_hints(schema)
    found = set()
    for field in dataclasses.fields(schema):
        if dataclasses.is_dataclass(types[field.name]):
            found |= required_keys(types[field.name], f"{prefix}{field.name}.")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            found.add(prefix + field.name)
    return found


def keys(schema: type, prefix: str = "") -> set[str]:
    """Full paths of all settings."""
    types = typing.get_type_hints(schema)
    found = set()
    for field in dataclasses.fields(schema):
        path = prefix + field.name
        found |= keys(types[field.name], path + ".") if dataclasses.is_dataclass(types[field.name]) else {path}
    return found


def test_the_reference_has_every_key_and_no_other():
    assert documented().keys() == keys(Config)


def test_the_references_defaults_are_those_that_act(tmp_path):
    table = documented()
    assert {key for key, default in table.items() if default == "required"} == required_keys(Config)
    required = 'dataset { subject_name = "a", train.sub_dir = ["a"], test.sub_dir = ["b"] }\n'
    (tmp_path / "left_out.conf").write_text(required)
    written = [f"{key} = {default}" for key, default in table.items() if default != "required"]
    (tmp_path / "as_documented.conf").write_text(required + "\n".join(written))
    assert load_config(tmp_path / "as_documented.conf") == load_config(tmp_path / "left_out.conf")
