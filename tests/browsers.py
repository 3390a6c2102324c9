"""Chromium and other programs that show avatars, and what a picture of one is like."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from imavatar.paths import project_dir

WORK = project_dir() / "build" / "viewers"
"""Pictures and npm's modules."""
SOFTWARE_RENDERER = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
PATIENCE = 120_000
"""Milliseconds that a page has to show an avatar: there is no GPU."""


def tool(*names: str) -> str:
    """The first of some programs that is there; skips the test without one."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed; scripts/test_viewers.sh installs it")
    return found


@contextmanager
def chromium():
    """A browser without a window."""
    path = tool("chromium", "chromium-browser", "google-chrome")
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; scripts/test_viewers.sh does it"
    )
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SOFTWARE_RENDERER)
        yield browser
        browser.close()


def shows_something(path: Path, corner: int = 8) -> None:
    """A picture whose middle is neither white nor of one colour, over white."""
    image = cv2.imread(str(path)).astype(int)
    height, width = image.shape[:2]
    middle = image[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    assert (middle < 245).any(axis=-1).mean() > 0.3
    assert middle.std(axis=(0, 1)).max() > 0.5
    assert (image[-corner:, :corner] > 245).all()
