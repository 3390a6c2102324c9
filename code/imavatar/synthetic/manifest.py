"""A note beside a data set of what it was made with, so that another is not taken for it or written into it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from imavatar.errors import DataError
from imavatar.files.atomic import write_text
from imavatar.head.assets import HeadAssets

MANIFEST = "synthetic.json"


def fingerprint(head: HeadAssets) -> str:
    """Sixteen digits that tell a head model from others."""
    digest = hashlib.sha256()
    for values in (head.v_template, head.faces, head.shapedirs, head.posedirs, head.weights):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def has_manifest(folder: Path, note: dict[str, Any]) -> bool:
    """Whether a note lies beside the data.

    Raises:
        DataError: the folder holds something else, or the note cannot be read.
    """
    path = folder.parent / MANIFEST
    advice = f"delete the folder {folder.parent}, or choose another name with --subject"
    try:
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found != note:
                raise DataError(f"{path}: {_difference(found, note)}; {advice}")
            return True
        if folder.exists():
            raise DataError(f"{folder}: exists, but was not made by this command; {advice}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not valid JSON ({error}); {advice}") from error
    return False


def write_manifest(folder: Path, note: dict[str, Any]) -> None:
    """Put a note beside the data; only for who holds the subject's lock.

    Raises:
        DataError: see `has_manifest`, or the note cannot be written.
    """
    if has_manifest(folder, note):
        return
    path = folder.parent / MANIFEST
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(note, indent=2) + "\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error


def _difference(found: Any, wanted: dict[str, Any]) -> str:
    if not isinstance(found, dict):
        return "does not hold settings"
    keys = [key for key in wanted if found.get(key) != wanted[key]]
    if keys in (["head"], ["look"], ["version"]):
        return "was made with another head model or another version of the synthetic subject"
    return "; ".join(f"{key} is {found.get(key)}, asked for is {wanted[key]}" for key in keys)
