"""HOCON files to `Config`, and back: unknown keys, wrong types and impossible values are errors that name the key."""

import dataclasses
import difflib
import json
import logging
import typing
from pathlib import Path
from typing import Any

from imavatar.config.hocon import parse_hocon, read_hocon
from imavatar.config.schema import IGNORED_KEYS, Config
from imavatar.config.together import check_together
from imavatar.config.values import check_value, describe
from imavatar.errors import ConfigError
from imavatar.names import shown
from imavatar.paths import confs_dir, find_conf
from imavatar.settings import RULE

logger = logging.getLogger(__name__)

INDENT = "    "

DEPRECATED_KEYS = {
    "train.centred_frames": "train.recentre_frame_params",
    "train.texture_first_steps": "train.texture_only_steps",
}
"""Keys of version 0.1.0 and what they are called now, in the same section; both are read in this version."""

DEPRECATED_CONFS = {"quick_video.conf": "fast_video.conf", "fast_longer.conf": "fast_45.conf"}
"""Shipped configurations of version 0.1.0 and what they are called now. The old ones include these, and only keep the
names of the folders that runs had."""


def load_config(path: str | Path) -> Config:
    """The checked content of a configuration file, or of the shipped one of this name (`paths.find_conf`).

    Raises:
        ConfigError: in one line; it names the file, the key, what was found and what was expected.
    """
    path = find_conf(path)
    new = DEPRECATED_CONFS.get(path.name)
    if new is not None and path.resolve().parent == confs_dir().resolve():
        logger.warning("%s is called %s now; the next version will not have the old name", path, new)
    return _config(read_hocon(path), str(path), warn=True)


def parse_config(text: str, name: str) -> Config:
    """The configuration that `dump_config` of this version or an older one has written; messages call it `name`.

    Raises:
        ConfigError: as `load_config`.
    """
    return _config(parse_hocon(text, name), name, warn=False)


def dump_config(config: Config) -> str:
    """The configuration as HOCON text that is read back equal: every key written out, strings quoted."""
    return "\n".join(_lines(config, "")) + "\n"


def _config(tree: dict, name: str, *, warn: bool) -> Config:
    _use_current_keys(tree, name, warn=warn)
    config = _parse_section(Config, tree, "", name)
    check_together(config, name)
    return config


def _parse_section(cls: type, tree: dict, section: str, file: str) -> Any:
    """An instance of a dataclass of the schema from the keys of a section."""
    wanted = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}
    values = {}
    for name, value in tree.items():
        path = _join(section, name)
        if name in known:
            values[name] = _parse_key(known[name], value, wanted[name], path, file)
        elif path in IGNORED_KEYS:
            logger.info("%s: %s has no effect: %s", file, path, IGNORED_KEYS[path])
        else:
            raise ConfigError(_unknown_key(name, section, list(known), file))
    for name, field in known.items():
        if name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{file}: {_join(section, name)} is missing; add it to the file")
    return cls(**values)


def _parse_key(field: dataclasses.Field, value: object, wanted: Any, path: str, file: str) -> Any:
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


def _lines(section: Any, indent: str) -> list[str]:
    lines = []
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            lines += [f"{indent}{field.name} {{", *_lines(value, indent + INDENT), f"{indent}}}"]
        else:
            # JSON is HOCON; not escaped to ASCII, since pyhocon does not undo that in strings.
            lines.append(f"{indent}{field.name} = {json.dumps(value, ensure_ascii=False)}")
    return lines


def _use_current_keys(tree: dict, name: str, *, warn: bool) -> None:
    """Give deprecated keys of the content of the file `name` their present names, in place.

    Raises:
        ConfigError: a key is given under both names.
    """
    for old, new in DEPRECATED_KEYS.items():
        (name_of_section, old_name), new_name = old.split("."), new.rpartition(".")[2]
        section = tree.get(name_of_section)
        if not isinstance(section, dict) or old_name not in section:
            continue
        if new_name in section:
            raise ConfigError(f"{name}: {old} and {new} are both given, and are the same; keep {new}")
        if warn:
            logger.warning("%s: %s is called %s now; the next version will not read the old name", name, old, new)
        section[new_name] = section.pop(old_name)
