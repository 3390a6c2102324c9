"""A page that shows an exported avatar: one file that needs no network and no server, and the avatar beside it."""

import base64
import contextlib
import html
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from imavatar.errors import DataError
from imavatar.export.glb_check import check_glb
from imavatar.files import atomic
from imavatar.head.joint_sliders import JOINT_SLIDERS, LARGEST_COEFFICIENT, N_COEFFICIENTS

PAGE, AVATAR = "index.html", "avatar.glb"
HOLE = re.compile(r"\{\{(\w+)\}\}")


def write_page(out: Path, avatar: Path, three: bytes, title: str) -> Path:
    """Write `index.html`, with everything it needs in it, and `avatar.glb`, which it links to; returns the page.

    Both are there in the end or, where one cannot be written, neither is begun.

    Args:
        avatar: a binary glTF file as `write_glb` makes it; may be `avatar.glb` in `out` itself.
        three: three.js with GLTFLoader and OrbitControls as one module.

    Raises:
        DataError: `avatar` is not there or no avatar in binary glTF, `title` is no text, or `out` cannot be written.
    """
    try:
        content = avatar.read_bytes()
    except OSError as error:
        raise DataError(f"{avatar}: cannot be read ({error.strerror}), expected a .glb file") from error
    check_glb(content, str(avatar))
    check_title(title)
    parts = {
        "title": html.escape(title),
        "controls": html.escape(json.dumps(_controls())),
        "style": _own_file("page.css"),
        "script": _own_file("page.js"),
        "three": base64.b64encode(three).decode(),
        "avatar": base64.b64encode(content).decode(),
        "file": AVATAR,
        "megabytes": f"{len(content) / 1e6:.1f}",
    }
    page = HOLE.sub(lambda hole: parts[hole[1]], _own_file("page.html"))
    contents = {PAGE: page.encode("utf-8")}
    if avatar.resolve() != (out / AVATAR).resolve():
        contents[AVATAR] = content
    try:
        with _made(out):
            _write_all({out / name: own for name, own in contents.items()})
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror})") from error
    return out / PAGE


def _controls() -> dict:
    """What the page's script has to know of its sliders."""
    joints = [
        {**vars(slider), "turns": [[joint.name.lower(), axis, factor] for joint, axis, factor in slider.turns]}
        for slider in JOINT_SLIDERS
    ]
    return {"joints": joints, "coefficients": N_COEFFICIENTS, "largest": LARGEST_COEFFICIENT}


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder that exists; what had to be made of it is removed again where the block raises."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in new:
            with contextlib.suppress(OSError):  # somebody else has put something there
                path.rmdir()
        raise


def _write_all(contents: dict[Path, bytes]) -> None:
    """Write files, all of which are on the disk before the first takes its place."""
    with contextlib.ExitStack() as files:
        for path, content in contents.items():
            temporary = files.enter_context(atomic.replacing(path))
            with atomic.naming(path):
                temporary.write_bytes(content)
            atomic.sync_file(temporary)


def check_title(title: str) -> None:
    """See that a title can be written into a page.

    Raises:
        DataError: it has bytes of the command line that are no UTF-8.
    """
    try:
        title.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"the title {title!a} is no UTF-8 at character {error.start + 1}, expected a text; give another by --title"
        ) from error


def _own_file(name: str) -> str:
    return resources.files("imavatar.export").joinpath("web", name).read_text(encoding="utf-8")
