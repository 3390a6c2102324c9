"""What cameras write into pictures (EXIF), as far as it is of use here."""

import struct
from collections.abc import Iterator

MAKE, MODEL, ORIENTATION, EXIF_IFD, FOCAL_35MM = 0x010F, 0x0110, 0x0112, 0x8769, 0xA405
"""Numbers of the entries."""
ASCII, SHORT, LONG = 2, 3, 4
"""Numbers of the types."""
MARK = b"Exif\0\0"


def exif_of(content: bytes) -> dict[int, int | str]:
    """The make, model, orientation and equivalent focal length in a JPEG, PNG, WebP or TIFF file, by their numbers.

    What is not there, or damaged, is left out.
    """
    for block in _blocks(content):
        try:
            return _entries(block.removeprefix(MARK))
        except (struct.error, IndexError):
            continue
    return {}


def _blocks(content: bytes) -> Iterator[bytes]:
    """What may be EXIF in a file, each block with the header of a TIFF file."""
    if content[:4] in (b"II*\0", b"MM\0*"):
        yield content
    elif content.startswith(b"\xff\xd8"):
        at = 2
        while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
            length = int.from_bytes(content[at + 2 : at + 4], "big")
            if content[at + 1] == 0xE1 and content[at + 4 :].startswith(MARK):
                yield content[at + 4 : at + 2 + length]
            at += 2 + length
    elif content.startswith(b"\x89PNG"):
        yield from _chunks(content, 8, b"eXIf", big_endian=True)
    elif content.startswith(b"RIFF"):
        yield from _chunks(content, 12, b"EXIF", big_endian=False)


def _chunks(content: bytes, at: int, wanted: bytes, *, big_endian: bool) -> Iterator[bytes]:
    """The contents of chunks of a name: of PNG (length, name, content, checksum) or RIFF (name, length, content)."""
    while at + 8 <= len(content):
        first, second = content[at : at + 4], content[at + 4 : at + 8]
        name, size = (second, first) if big_endian else (first, second)
        length = int.from_bytes(size, "big" if big_endian else "little")
        if name == wanted:
            yield content[at + 8 : at + 8 + length]
        at += 8 + length + (4 if big_endian else length % 2)


def _entries(block: bytes) -> dict[int, int | str]:
    order = "<" if block.startswith(b"II") else ">"
    found = dict(_directory(block, order, struct.unpack_from(f"{order}I", block, 4)[0]))
    if isinstance(at := found.pop(EXIF_IFD, None), int):
        found.update((key, value) for key, value in _directory(block, order, at) if key == FOCAL_35MM)
    return found


def _directory(block: bytes, order: str, at: int) -> Iterator[tuple[int, int | str]]:
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        key, kind, length = struct.unpack_from(f"{order}HHI", block, entry)
        if key not in (MAKE, MODEL, ORIENTATION, EXIF_IFD, FOCAL_35MM):
            continue
        if kind == ASCII:
            where = entry + 8 if length <= 4 else struct.unpack_from(f"{order}I", block, entry + 8)[0]
            yield key, block[where : where + length].split(b"\0")[0].decode("utf-8", "replace").strip()
        elif kind in (SHORT, LONG):
            yield key, struct.unpack_from(order + ("H" if kind == SHORT else "I"), block, entry + 8)[0]
