"""HOCON files to `Config`: unknown keys, wrong types and impossible values are errors that name the key."""

import dataclasses
import difflib
import logging
import re
import typing
from pathlib import Path

from imavatar.config.hocon import read_hocon
from imavatar.config.rules import RULE
from imavatar.config.schema import DEPRECATED_KEYS, IGNORED_KEYS, Config
from imavatar.config.together import check_together
from imavatar.config.values import check_value, describe
from imavatar.errors import ConfigError
from imavatar.names import shown
from imavatar.paths import find_conf

logger = logging.getLogger(__name__)


def load_config(path: str | Path) -> Config:
    """The checked content of a configuration file, or of the shipped one of this name (`paths.find_conf`)."""
    path = find_conf(path)
    config = _parse_section(Config, read_hocon(path), "", str(path))
    check_together(config, str(path))
    return config


def _parse_section(cls: type, tree: dict, section: str, file: str):
    """An instance of a dataclass of the schema from the keys of a section."""
    wanted = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}
    values = {}
    for name, value in _renamed(tree, section, file).items():
        path = _join(section, name)
        if name in known:
            values[name] = _parse_key(known[name], value, wanted[name], path, file)
        elif path in IGNORED_KEYS:
            logger.info("%s: %s has no effect: %s", file, path, IGNORED_KEYS[path])
        else:
            raise ConfigError(_unknown_key(name, section, list(known), file))
    for name, known_field in known.items():
        if name not in values and _is_required(known_field):
            raise ConfigError(f"{file}: {_join(section, name)} is missing; add it to the file")
    return cls(**values)


def _renamed(tree: dict, section: str, file: str) -> dict:
    """The section with present names for deprecated ones, each of which is warned of."""
    renamed = {}
    for name, value in tree.items():
        path = _join(section, name)
        new = DEPRECATED_KEYS.get(path)
        if new is None:
            renamed[name] = value
            continue
        current = new.rpartition(".")[2]
        if current in tree:
            raise ConfigError(f"{file}: {path} and {new} are both given, and are the same; keep {new}")
        logger.warning("%s: %s is called %s now; the old name will not be read by the next version", file, path, new)
        renamed[current] = value
    return renamed


def with_current_keys(text: str) -> str:
    """The text of a dumped configuration with present names for deprecated keys."""
    for old, new in DEPRECATED_KEYS.items():
        text = re.sub(rf"\b{old.rpartition('.')[2]}\b", new.rpartition(".")[2], text)
    return text


def _parse_key(field: dataclasses.Field, value, wanted, path: str, file: str):
    where = f"{file}: {path}"
    if dataclasses.is_dataclass(wanted):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {describe(value)}, expected a section {{ ... }}")
        return _parse_section(wanted, value, path, file)
    checked = check_value(value, wanted, where)
    rule = field.metadata.get(RULE)
    if rule is not None and checked is not None and not rule.holds(checked):
        found = repr(list(checked) if isinstance(checked, tuple) else checked)
        raise ConfigError(f"{where} is {shown(found)}, expected {rule.expected}")
    return checked


def _is_required(field: dataclasses.Field) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _unknown_key(name: str, section: str, known: list[str], file: str) -> str:
    message = f"{file}: unknown key {_join(section, shown(name))}"
    elsewhere = [path for path in _all_paths(Config) if path.split(".")[-1] == name]
    near = difflib.get_close_matches(name, known, n=2) or elsewhere[:2]
    message += f"; did you mean {' or '.join(near)}?" if near else "."
    place = f"of {section}" if section else "at the top"
    return f"{message} The known keys {place} are {', '.join(sorted(known))}"


def _all_paths(cls: type, section: str = "") -> list[str]:
    """The dotted paths of all keys below a dataclass of the schema."""
    paths = []
    for name, wanted in typing.get_type_hints(cls).items():
        path = _join(section, name)
        paths += _all_paths(wanted, path) if dataclasses.is_dataclass(wanted) else [path]
    return paths


def _join(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name
