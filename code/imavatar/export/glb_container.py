"""The parts of a binary glTF 2.0 file: its description in JSON, and its binary part."""

import json
import reprlib
import struct
from collections.abc import Iterator
from typing import Any, NoReturn

MAGIC, VERSION = b"glTF", 2
HEADER, CHUNK_HEADER = 12, 8
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942
MULTIPLE = 4
"""Of as many bytes a chunk is."""


class WrongGlb(Exception):
    """What was found in a file instead of what belongs there."""


def read_glb(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The description and the binary part, which may be empty.

    Raises:
        WrongGlb: it is another kind of file, or is cut or damaged.
    """
    if not content.startswith(MAGIC):
        raise WrongGlb(f"begins with {content[: len(MAGIC)]!r}, not {MAGIC!r}")
    if len(content) < HEADER:
        raise WrongGlb(f"ends after {len(content)} bytes, within its header")
    version, length = struct.unpack_from("<II", content, len(MAGIC))
    if version != VERSION:
        raise WrongGlb(f"is of version {version}")
    if length != len(content):
        raise WrongGlb(f"has {len(content)} bytes, and {length} by its header")
    chunks = list(_chunks(content))
    if not chunks or chunks[0][0] != JSON_CHUNK:
        raise WrongGlb("does not begin with a chunk of JSON")
    binary = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == BINARY_CHUNK else b""
    try:
        description = json.loads(chunks[0][1].decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise WrongGlb(f"its JSON cannot be read ({error})") from error
    if not isinstance(description, dict):
        raise WrongGlb(f"its JSON is {shown(description)}, not an object")
    return description, binary


def _chunks(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Kinds and contents of the chunks."""
    start = HEADER
    while start < len(content):
        left = len(content) - start - CHUNK_HEADER
        if left < 0:
            raise WrongGlb(f"ends within the header of the chunk at byte {start}")
        size, kind = struct.unpack_from("<II", content, start)
        if size > left:
            raise WrongGlb(f"the chunk at byte {start} has {size} bytes, of which {left} are there")
        if size % MULTIPLE:
            raise WrongGlb(f"the chunk at byte {start} has {size} bytes, which is no multiple of {MULTIPLE}")
        start += CHUNK_HEADER
        yield kind, content[start : start + size]
        start += size


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def shown(value: Any) -> str:
    """A value for a message, in short."""
    return reprlib.repr(value)
