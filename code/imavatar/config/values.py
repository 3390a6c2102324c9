"""One value of a configuration file: its type, checked and never coerced."""

import datetime
import math
import types
import typing
from typing import Any

from pyhocon.period_parser import period_impl

from imavatar.errors import ConfigError
from imavatar.names import shown

DURATION = datetime.timedelta | period_impl
"""What pyhocon makes of "10 s": another type where python-dateutil is installed."""


def check_value(value: object, wanted: Any, where: str) -> Any:
    """The value as the wanted type; lists become tuples, and ints are accepted for floats.

    Args:
        wanted: a type as the schema annotates it: bool, int, float, str, tuple[...], or a union of these and None.
        where: file and key, for messages.
    """
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        return _check_union(value, typing.get_args(wanted), where)
    if typing.get_origin(wanted) is tuple:
        return _check_list(value, typing.get_args(wanted), where)
    if wanted is float:
        return _check_float(value, where)
    if type(value) is wanted:
        return value
    raise _wrong_type(value, wanted, where)


def _check_union(value: object, options: tuple, where: str) -> Any:
    if value is None and types.NoneType in options:
        return None
    matching = [option for option in options if (typing.get_origin(option) is tuple) == isinstance(value, list)]
    return check_value(value, (matching or list(options))[0], where)


def _check_list(value: object, items: tuple, where: str) -> tuple:
    if not isinstance(value, list):
        raise _wrong_type(value, tuple, where)
    if items[-1] is not Ellipsis and len(value) != len(items):
        raise ConfigError(f"{where} has {len(value)} values, expected {len(items)}")
    item_types = [items[0]] * len(value) if items[-1] is Ellipsis else items
    return tuple(
        check_value(item, item_type, f"{where}[{index}]")
        for index, (item, item_type) in enumerate(zip(value, item_types, strict=True))
    )


def _check_float(value: object, where: str) -> float:
    if type(value) not in (int, float):
        raise _wrong_type(value, float, where)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf  # a whole number of more than 308 digits
    if not math.isfinite(number):
        raise ConfigError(f"{where} is {number}, expected a finite number")
    return number


_EXPECTED = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple: "a list such as [1, 2]",
}


def _wrong_type(value: object, wanted: type, where: str) -> ConfigError:
    message = f"{where} is {describe(value)}, expected {_EXPECTED[wanted]}"
    if wanted is str and isinstance(value, bool | int | float | DURATION):
        message += '; put quotes around names that look like numbers or units: "018"'
    return ConfigError(message)


def describe(value: object) -> str:
    """A value and what it is, short enough for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return f"the number {shown(str(value))}"
    if isinstance(value, list):
        return f"a list of {len(value)} values"
    if isinstance(value, dict):
        return f"a section with the keys {shown(', '.join(value), 200) or 'none'}"
    if isinstance(value, DURATION):
        return f"the duration {_of_duration(value)}"
    return f'the text "{shown(value) if isinstance(value, str) else type(value).__name__}"'


def _of_duration(value: DURATION) -> str:
    try:
        return shown(str(value))
    except OverflowError:
        return "of a number that fits no float"
