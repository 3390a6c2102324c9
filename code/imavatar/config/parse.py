"""HOCON files to `Config`: unknown keys, wrong types and impossible values are errors that name the key."""

import dataclasses
import difflib
import logging
import typing
from pathlib import Path

import pyparsing
from pyhocon import ConfigFactory
from pyhocon.exceptions import ConfigException

from imavatar.config.rules import RULE, at_least
from imavatar.config.schema import IGNORED_KEYS, Config
from imavatar.config.values import check_value, describe
from imavatar.errors import ConfigError
from imavatar.types import LATENT_SIZE

logger = logging.getLogger(__name__)

CODE_FOLDER = Path(__file__).resolve().parents[2]
"""The project's `code` folder, from which the paths in configuration files start."""


def resolve_path(path: str | Path) -> Path:
    """A path of a configuration file: relative ones start at the project's `code` folder."""
    return (CODE_FOLDER / Path(path).expanduser()).resolve()


def load_config(path: str | Path) -> Config:
    """The checked content of a configuration file."""
    tree = _read_hocon(Path(path))
    config = _parse_section(Config, tree, "", str(path))
    _check_together(config, str(path))
    return config


def _read_hocon(path: Path) -> dict:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; the configurations of this project are in its folder confs") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    try:
        tree = ConfigFactory.parse_string(text, basedir=str(path.parent))
    except pyparsing.ParseBaseException as error:
        raise ConfigError(
            f"{path}: line {error.lineno}, column {error.column}: {error.msg}; "
            "look for a missing bracket or quote there or above"
        ) from error
    except ConfigException as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: is a list, expected sections such as train {{ ... }}")
    return tree


def _parse_section(cls: type, tree: dict, section: str, file: str):
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
    for name, known_field in known.items():
        if name not in values and _is_required(known_field):
            raise ConfigError(f"{file}: {_join(section, name)} is missing; add it to the file")
    return cls(**values)


def _parse_key(field: dataclasses.Field, value, wanted, path: str, file: str):
    where = f"{file}: {path}"
    if dataclasses.is_dataclass(wanted):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {describe(value)}, expected a section {{ ... }}")
        return _parse_section(wanted, value, path, file)
    checked = check_value(value, wanted, where)
    rule = field.metadata.get(RULE)
    if rule is not None and checked is not None and not rule.holds(checked):
        shown = list(checked) if isinstance(checked, tuple) else checked
        raise ConfigError(f"{where} is {shown!r}, expected {rule.expected}")
    return checked


def _is_required(field: dataclasses.Field) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _unknown_key(name: str, section: str, known: list[str], file: str) -> str:
    message = f"{file}: unknown key {_join(section, name)}"
    elsewhere = [path for path in _all_paths(Config) if path.split(".")[-1] == name]
    near = difflib.get_close_matches(name, known, n=2) or elsewhere[:2]
    if near:
        message += f"; did you mean {' or '.join(near)}?"
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


def _check_together(config: Config, file: str) -> None:
    """What single keys cannot tell: sizes that depend on one another."""
    geometry, model = config.model.geometry_network, config.model
    n_condition = model.deformer_network.num_exp + 3
    if model.rendering_network.condition_in != n_condition:
        raise ConfigError(
            f"{file}: model.rendering_network.condition_in is {model.rendering_network.condition_in}, "
            f"expected {n_condition}: the {model.deformer_network.num_exp} expression coefficients of "
            "model.deformer_network.num_exp and the 3 numbers of the jaw's rotation"
        )
    if config.train.optimize_latent_code and geometry.condition_in == 0:
        raise ConfigError(
            f"{file}: train.optimize_latent_code is True, but model.geometry_network.condition_in is 0; "
            f"expected {LATENT_SIZE}, the width of the latent code"
        )
    encoded = 3 + 6 * geometry.multires + geometry.condition_in
    for layer in geometry.skip_in:
        if layer > len(geometry.dims):
            raise ConfigError(
                f"{file}: model.geometry_network.skip_in names layer {layer}, "
                f"expected at most {len(geometry.dims)}, the number of dims"
            )
        if geometry.dims[layer - 1] <= encoded:
            raise ConfigError(
                f"{file}: model.geometry_network.dims[{layer - 1}] is {geometry.dims[layer - 1]}, "
                f"expected {at_least(encoded + 1).expected}: "
                f"the skip connection puts {encoded} encoded inputs beside its outputs"
            )
