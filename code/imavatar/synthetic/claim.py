"""A note beside a data set of what it was made with, so that another is not taken for it or written into it."""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets

SETTINGS_FILE = "synthetic.json"


def fingerprint(head: HeadAssets) -> str:
    digest = hashlib.sha256()
    for values in (head.v_template, head.faces, head.shapedirs, head.posedirs, head.weights):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def claim(folder: Path, settings: Any) -> None:
    """Note the settings (a dataclass) beside the data; raise where the folder holds something else."""
    path = folder.parent / SETTINGS_FILE
    advice = f"delete the folder {folder.parent}, or choose another name with --subject"
    wanted = asdict(settings)
    try:
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found != wanted:
                raise DataError(f"{path}: {_difference(found, wanted)}; {advice}")
            return
        if folder.exists():
            raise DataError(f"{folder}: exists, but was not made by this command; {advice}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".json.partial")
        partial.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read or written ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{path}: is not valid JSON ({error}); {advice}") from error


def _difference(found, wanted: dict) -> str:
    if not isinstance(found, dict):
        return "does not hold settings"
    keys = [key for key in wanted if found.get(key) != wanted[key]]
    if keys == ["head"] or keys in (["look"], ["version"]):
        return "was made with another head model or another version of the synthetic subject"
    return "; ".join(f"{key} is {found.get(key)}, asked for is {wanted[key]}" for key in keys)
