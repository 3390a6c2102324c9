"""Keys and shipped files of older versions: read with a warning, under their present names."""

import logging
from pathlib import Path

from imavatar.errors import ConfigError
from imavatar.paths import confs_dir

logger = logging.getLogger(__name__)

DEPRECATED_KEYS = {
    "train.centred_frames": "train.recentre_frame_params",
    "train.texture_first_steps": "train.texture_only_steps",
}
"""Keys of version 0.1.0 and what they are called now, in the same section; both are read in this version."""

DEPRECATED_CONFS = {"quick_video.conf": "fast_video.conf", "fast_longer.conf": "fast_45.conf"}
"""Shipped configurations of version 0.1.0 and what they are called now. The old ones include these, and only keep the
names of the folders that runs had."""


def warn_of_old_file(path: Path) -> None:
    """Log that a shipped configuration has a new name."""
    new = DEPRECATED_CONFS.get(path.name)
    if new is not None and path.resolve().parent == confs_dir().resolve():
        logger.warning("%s is called %s now; the next version will not have the old name", path, new)


def use_current_keys(tree: dict, name: str, *, warn: bool = True) -> None:
    """Give deprecated keys of a configuration's content their present names, in place.

    Args:
        name: of the file, for messages.

    Raises:
        ConfigError: a key is given under both names.
    """
    for old, new in DEPRECATED_KEYS.items():
        *sections, old_name = old.split(".")
        section = _section(tree, sections)
        if old_name not in section:
            continue
        new_name = new.rpartition(".")[2]
        if new_name in section:
            raise ConfigError(f"{name}: {old} and {new} are both given, and are the same; keep {new}")
        if warn:
            logger.warning("%s: %s is called %s now; the next version will not read the old name", name, old, new)
        section[new_name] = section.pop(old_name)


def _section(tree: dict, sections: list[str]) -> dict:
    """The section at a path; an empty one if there is none."""
    for name in sections:
        found = tree.get(name)
        tree = found if isinstance(found, dict) else {}
    return tree
