"""`Config` as HOCON text that is read back equal."""

import dataclasses
import json
from typing import Any

from imavatar.config.schema import Config

INDENT = "    "


def dump_config(config: Config) -> str:
    """The configuration as text, every key written out, strings quoted."""
    return "\n".join(_lines(config, "")) + "\n"


def _lines(section: Any, indent: str) -> list[str]:
    lines = []
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            lines += [f"{indent}{field.name} {{", *_lines(value, indent + INDENT), f"{indent}}}"]
        else:
            lines.append(f"{indent}{field.name} = {_literal(value)}")
    return lines


def _literal(value: object) -> str:
    """A value in JSON, which is HOCON; not escaped to ASCII, since pyhocon does not undo that in strings."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
