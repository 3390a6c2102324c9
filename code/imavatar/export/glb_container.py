"""The parts of a binary glTF 2.0 file, and strict look-ups in its description, which may hold anything in any place."""

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


class GltfDocument:
    """A description, whose lists and numbers are looked up strictly: WrongGlb where they are something else."""

    def __init__(self, description: dict[str, Any]):
        self.description = description
        self._lists: dict[str, list[dict[str, Any]]] = {}

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The objects of a list of the description, none where it has no such list."""
        if kind not in self._lists:
            self._lists[kind] = objects(self.description, kind)
        return self._lists[kind]

    def number(self, where: str, owner: dict[str, Any], key: str, least: int = 0, default: int | None = None) -> int:
        """A whole number of an object."""
        value = owner.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise WrongGlb(f"{where}: {key} is {shown(value)}, not a whole number from {least}")
        return value

    def referred(self, where: str, owner: dict[str, Any], key: str, kind: str) -> dict[str, Any]:
        """The object of a list that an object names by its number."""
        index, found = self.number(where, owner, key), self.all(kind)
        if index >= len(found):
            raise WrongGlb(f"{where}: {key} is {index}, of {len(found)} {kind}")
        return found[index]

    def all_referred(self, where: str, owner: dict[str, Any], key: str, kind: str) -> None:
        """See that a list of numbers, which is not empty, names objects that are there."""
        indices = owner.get(key)
        if not isinstance(indices, list) or not indices:
            raise WrongGlb(f"{where}: {key} is {shown(indices)}, not a list of numbers")
        for index in indices:
            self.referred(where, {key: index}, key, kind)


def objects(owner: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects, empty where it is not there."""
    found = owner.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise WrongGlb(f"{key} is {shown(found)}, not a list of objects")
    return found


def values_of(key: str, value: Any) -> Iterator[Any]:
    """All values of a key, however deep."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield from (own for name, own in value.items() if name == key)
            left += value.values()
        elif isinstance(value, list):
            left += value
