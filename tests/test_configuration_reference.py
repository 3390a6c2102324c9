"""docs/configuration.md against the schema: every key, with its default."""

import dataclasses
import re
import typing
from pathlib import Path

import pytest

from imavatar.config import Config, load_config
from imavatar.settings import RULE

REFERENCE = Path(__file__).parents[1] / "docs" / "configuration.md"
ROW = re.compile(r"^\| `(?P<key>[\w.]+)`(?P<added> \*)? \| (?P<default>[^|]+?) \|", re.MULTILINE)

BOUNDS = re.compile(r"^\| (?P<keys>[^|]+) \| (?P<least>(above )?[\d.e-]+) \| (?P<largest>[\d.e]+) \|$", re.MULTILINE)


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


def field_of(path: str, schema: type = Config) -> dataclasses.Field:
    """The field of a full path."""
    name, _, rest = path.partition(".")
    if rest:
        return field_of(rest, typing.get_type_hints(schema)[name])
    return next(field for field in dataclasses.fields(schema) if field.name == name)


def bounds() -> dict[str, tuple[str, str]]:
    """Least and largest value as documented, of the keys that the table of bounds names."""
    found = {}
    for row in BOUNDS.finditer(REFERENCE.read_text(encoding="utf-8").split("\n## ")[0]):
        for key in re.findall(r"`([\w.]+)`", row["keys"]):
            found.update(
                {path: (row["least"], row["largest"]) for path in keys(Config) if f".{path}".endswith(f".{key}")}
            )
    return found


LISTS = ("img_res", "subsample", "dims")
SINGLE = {path: limits for path, limits in bounds().items() if not path.endswith(LISTS)}


def test_the_table_of_bounds_has_the_numbers():
    """Those of which every row names some keys; the others are in words there."""
    assert len(bounds()) > 35
    assert {"train.seed", "plot.fps", "model.geometry_network.multires"} <= SINGLE.keys()


@pytest.mark.parametrize("path", sorted(SINGLE))
def test_the_bounds_in_the_reference_are_those_that_act(path):
    field = field_of(path)
    number = int if field.type is int else float
    holds = field.metadata[RULE].holds
    least, largest = SINGLE[path]
    step = 1 if number is int else 1e-9
    assert holds(number(float(largest)) if number is float else int(largest))
    assert not holds(number(float(largest)) * 1.001 if number is float else int(largest) + 1)
    if least.startswith("above"):
        assert holds(1e-300) and not holds(0.0)
    else:
        assert holds(number(float(least))) and not holds(number(float(least)) - step)
