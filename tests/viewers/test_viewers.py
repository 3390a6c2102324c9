"""An exported avatar in the programs that show it: the Khronos validator, Blender, three.js and model-viewer.

`bash scripts/test_viewers.sh` installs them and runs this. Pictures go to `build/viewers`.
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from imavatar.assets import project_dir
from imavatar.cli import exp_runner_main, export_avatar_main
from imavatar.head.assets import save_head
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import write_config

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
WORK = project_dir() / "build" / "viewers"
MODULES = WORK / "node_modules"
SOFTWARE_RENDERER = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
PATIENCE = 120_000
"""Milliseconds that a page has to show the avatar: there is no GPU."""
N_TARGETS, FACES = 50 + 36, 4000


def tool(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed; scripts/test_viewers.sh installs it")
    return found


def module(name: str) -> Path:
    if not (MODULES / name).is_dir():
        pytest.skip(f"the module {name} is not installed; scripts/test_viewers.sh installs it")
    return MODULES


def run(*command: str | Path, seconds: int = 300) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """The avatar named by IMAVATAR_VIEWED (a .glb), or a sphere trained for an epoch."""
    if os.environ.get("IMAVATAR_VIEWED"):
        return Path(os.environ["IMAVATAR_VIEWED"])
    root = tmp_path_factory.mktemp("exported")
    write_subject(root)
    save_head(root / "head.npz", ellipsoid_head())
    conf = write_config(root, extra="train.warm_start_steps = 100\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAVATAR_ASSETS", str(root / "none"))
        exp_runner_main(["--conf", conf, "--nepoch", "2"])
        sizes = ["--resolution", "64", "--faces", str(FACES), "--texture", "256", "--check", "0"]
        export_avatar_main(["--conf", conf, "--out", str(root / "avatar.glb"), *sizes])
    return root / "avatar.glb"


def shows_something(path: Path) -> None:
    """A picture whose middle is neither white nor of one colour, over white."""
    image = cv2.imread(str(path)).astype(int)
    height, width = image.shape[:2]
    middle = image[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    assert (middle < 245).any(axis=-1).mean() > 0.3
    assert middle.std(axis=(0, 1)).max() > 0.5
    assert (image[-8:, :8] > 245).all()


def test_the_validator_finds_nothing(exported):
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
    chromium = tool("chromium", "chromium-browser", "google-chrome")
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; scripts/test_viewers.sh does it"
    )
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
        with api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=SOFTWARE_RENDERER)
            tab = browser.new_page(viewport={"width": 480, "height": 480})
            tab.goto(address)
            tab.wait_for_function("document.title.startsWith('{')", timeout=PATIENCE)
            tab.wait_for_timeout(1000)
            tab.screenshot(path=picture)
            title = tab.title()
            browser.close()
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
