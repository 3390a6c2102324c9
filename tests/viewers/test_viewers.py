"""An exported avatar in the programs that show it: the Khronos validator, Blender, three.js and model-viewer.

`bash scripts/test_viewers.sh` installs them and runs this. Pictures go to `build/viewers`.
"""

import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from browsers import PATIENCE, WORK, chromium, shows_something, tool

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
MODULES = WORK / "node_modules"
N_TARGETS = 50 + 36


def module(name: str) -> Path:
    if not (MODULES / name).is_dir():
        pytest.skip(f"the module {name} is not installed; scripts/test_viewers.sh installs it")
    return MODULES


def run(*command: str | Path, seconds: int = 300) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize("name", ["exported", "quantised"])
def test_the_validator_finds_nothing(name, request):
    exported = request.getfixturevalue(name)
    node, modules = tool("node"), module("gltf-validator")
    report = json.loads(run(node, HERE / "validate.mjs", exported, modules))
    assert report["issues"]["numErrors"] == report["issues"]["numWarnings"] == 0, report["issues"]["messages"]
    assert report["info"]["hasMorphTargets"] and report["info"]["hasSkins"]


def test_blender_imports_poses_and_renders_it(exported):
    blender, out = tool("blender"), WORK / "blender"
    out.mkdir(parents=True, exist_ok=True)
    run(blender, "--background", "--factory-startup", "--python", HERE / "blender_check.py", "--", exported, out)
    found = json.loads((out / "blender.json").read_text())
    assert len(found["shape_keys"]) >= N_TARGETS and found["shape_keys"][0] == "expression_00"
    assert found["bones"] == found["groups"] == ["ghost", "global", "neck", "jaw", "left_eye", "right_eye"]
    assert any("sweep" in action for action in found["actions"])
    assert abs(found["least_weight"] - 1) < 1e-4 and abs(found["largest_weight"] - 1) < 1e-4
    assert found["moved_m"] > 0.005
    for name in ("rest", "clip"):
        shows_something(out / f"{name}.png")
    rest, clip = (cv2.imread(str(out / f"{name}.png")).astype(int) for name in ("rest", "clip"))
    assert np.abs(rest - clip).max() > 30


@pytest.fixture
def page(exported, tmp_path):
    """Opens an HTML file of this folder beside the avatar: what its title says, and a picture of it."""
    shutil.copy(exported, tmp_path / "avatar.glb")
    (tmp_path / "modules").symlink_to(MODULES)
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def open_page(name: str) -> tuple[dict, Path]:
        shutil.copy(HERE / f"{name}.html", tmp_path)
        address = f"http://127.0.0.1:{server.server_port}/{name}.html"
        picture = WORK / f"{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        with chromium() as browser:
            tab = browser.new_page(viewport={"width": 480, "height": 480})
            tab.goto(address)
            tab.wait_for_function("document.title.startsWith('{')", timeout=PATIENCE)
            tab.wait_for_timeout(1000)
            tab.screenshot(path=picture)
            title = tab.title()
        return json.loads(title), picture

    yield open_page
    server.shutdown()
    server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_) -> None:
        pass


def test_three_js_shows_and_animates_it(page):
    module("three")
    found, picture = page("three")
    assert "error" not in found, found
    assert len(found["targets"]) >= N_TARGETS and found["clips"][0] == "sweep"
    assert found["bones"] == ["ghost", "global", "neck", "jaw", "left_eye", "right_eye"]
    assert found["material"] == "MeshBasicMaterial" and found["moved"] > 0.005
    shows_something(picture)


def test_model_viewer_shows_and_animates_it(page):
    module("@google/model-viewer")
    found, picture = page("model_viewer")
    assert "error" not in found, found
    assert found["clips"][0] == "sweep" and found["loaded"] and not found["paused"]
    shows_something(picture)
