"""Reads the arrays of an .npz file; each one's declared size is compared with the file's before memory is reserved."""

import zipfile
from pathlib import Path

import numpy as np

from imavatar.errors import AssetError
from imavatar.head.array_bytes import MOST_BYTES, WrongArrayError, array_from_bytes, check_size, item_type, said

ARRAY_ENDING = ".npy"
ENCRYPTED = 0x1
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LONGEST_HEADER = 1000
"""Characters; numpy's have about 100. It is parsed as Python's literals are, which nested ones overflow."""
LONGEST_NAME = 200
"""Characters of a member's name in a message."""
HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file by their names; members that are no arrays are left out.

    Raises:
        AssetError: not a zip archive, or a member is encrypted, damaged, compressed otherwise than by numpy, larger
            than a head model's, or an array of something other than numbers and text; with its name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(ARRAY_ENDING)]
            size = sum(info.file_size for info in members)
            if size > MOST_BYTES:
                raise WrongArrayError(f"{size} bytes of arrays, expected at most {MOST_BYTES}")
            if len({info.filename for info in members}) < len(members):
                raise WrongArrayError("two arrays have the same name")
            return {info.filename.removesuffix(ARRAY_ENDING): _read(path, archive, info) for info in members}
    except AssetError:
        raise
    except Exception as error:
        # What zipfile raises for a damaged archive depends on where the damage is.
        raise AssetError(f"{path} cannot be read as an .npz file ({said(error)}); make it anew") from error


def _read(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    where = f"{path}: {info.filename.removesuffix(ARRAY_ENDING)[:LONGEST_NAME]}"
    try:
        return _array(archive, info)
    except WrongArrayError as error:
        raise AssetError(f"{where} {error}") from error
    except Exception as error:
        # zipfile, zlib and numpy's parser of headers raise errors of many kinds for members that are damaged.
        raise AssetError(f"{where} cannot be read ({said(error)}), expected an array; make the file anew") from error


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    if info.flag_bits & ENCRYPTED:
        raise WrongArrayError("is encrypted, expected an array without a password")
    if info.compress_type not in COMPRESSIONS:
        raise WrongArrayError(f"is compressed by method {info.compress_type}, expected {COMPRESSIONS}")
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in HEADER_READERS:
            raise WrongArrayError(f"is an array of format {version}, expected (1, 0) or (2, 0)")
        shape, fortran, declared = HEADER_READERS[version](stream, max_header_size=LONGEST_HEADER)
        if declared.hasobject:
            raise WrongArrayError("holds objects, expected numbers")
        dtype = item_type(declared.str[1:], declared.str[0])
        check_size(dtype, shape, info.file_size - stream.tell())
        # to the end, where zipfile compares the checksum
        return array_from_bytes(dtype, shape, stream.read(), fortran=fortran)
