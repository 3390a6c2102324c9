"""A page that shows an exported avatar: one file that needs no network and no server, and the avatar beside it."""

import base64
import html
import os
import re
import shutil
from importlib import resources
from pathlib import Path

from imavatar.errors import DataError

PAGE, AVATAR = "index.html", "avatar.glb"
GLTF_MAGIC = b"glTF"
HOLE = re.compile(r"\{\{(\w+)\}\}")


def write_page(out: Path, avatar: Path, three: Path, title: str) -> Path:
    """Write `index.html`, with everything it needs in it, and `avatar.glb`, which it links to; returns the page.

    Args:
        avatar: a binary glTF file as `write_glb` makes it; may be `avatar.glb` in `out` itself.
        three: three.js with GLTFLoader and OrbitControls as one module.

    Raises:
        DataError: `avatar` is not there or no binary glTF, or `out` cannot be written.
    """
    try:
        content = avatar.read_bytes()
    except OSError as error:
        raise DataError(f"{avatar}: cannot be read ({error.strerror}), expected a .glb file") from error
    if not content.startswith(GLTF_MAGIC):
        raise DataError(f"{avatar}: begins with {content[:4]!r}, expected a binary glTF file, {GLTF_MAGIC!r}")
    parts = {
        "title": html.escape(title),
        "style": _own_file("page.css"),
        "script": _own_file("page.js"),
        "three": base64.b64encode(three.read_bytes()).decode(),
        "avatar": base64.b64encode(content).decode(),
        "file": AVATAR,
        "megabytes": f"{len(content) / 1e6:.1f}",
    }
    page = HOLE.sub(lambda hole: parts[hole[1]], _own_file("page.html"))
    try:
        out.mkdir(parents=True, exist_ok=True)
        if avatar.resolve() != (out / AVATAR).resolve():
            shutil.copyfile(avatar, out / AVATAR)
        temporary = out / f".{PAGE}.tmp"
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, out / PAGE)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror})") from error
    return out / PAGE


def _own_file(name: str) -> str:
    return resources.files("imavatar.export").joinpath("web", name).read_text(encoding="utf-8")
