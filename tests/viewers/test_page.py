"""The exported page in Chromium: alone, without a network, moving the avatar as the file says."""

import cv2
import numpy as np
import pygltflib as gl
import pytest
from scipy.spatial.transform import Rotation

from browsers import PATIENCE, WORK, chromium, shows_something
from gltf_reader import accessor
from imavatar import assets
from imavatar.cli import export_web_main

pytestmark = pytest.mark.slow
TURNS = {"jaw": (0.3, 0.05, 0.0), "neck": (0.0, 0.4, 0.1), "left_eye": (-0.1, 0.2, 0.0)}
AMOUNTS = {f"expression_{k:02d}": (-1) ** k * (0.3 + 0.02 * k) for k in range(50)}
EVERY = 37
"""Vertices that are compared: one of so many."""


@pytest.fixture(scope="module", params=["exported", "quantised"])
def avatar(request):
    """An exported file, as it is by default and as the page is made of."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def page(avatar, tmp_path_factory):
    """The page, in a folder that was moved."""
    if not (assets.assets_dir() / "three.js").exists():
        pytest.skip("three.js has not been fetched; scripts/test_viewers.sh does it")
    out = tmp_path_factory.mktemp("page")
    export_web_main(["--avatar", str(avatar), "--out", str(out / "first"), "--title", "a <sphere>"])
    return (out / "first").rename(out / "moved") / "index.html"


@pytest.fixture
def tab(page):
    """The page opened as a file; any other request, and any error, fails the test."""
    troubles = []
    with chromium() as browser:
        own = browser.new_page(viewport={"width": 900, "height": 560})
        own.on("pageerror", lambda error: troubles.append(str(error)))
        own.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        own.on("request", lambda request: troubles.append(request.url) if is_foreign(request.url) else None)
        own.goto(page.as_uri())
        own.wait_for_selector("body[data-ready]", timeout=PATIENCE)
        yield own
    assert not troubles, troubles


def is_foreign(url: str) -> bool:
    return not url.startswith(("data:", "blob:")) and not url.endswith("index.html")


def picture(tab, name: str):
    tab.wait_for_timeout(800)
    path = WORK / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=path)
    return cv2.imread(str(path)).astype(int)


def slide(tab, name: str, value: float) -> None:
    tab.eval_on_selector(
        f'input[data-name="{name}"]',
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }",
        value,
    )


def test_it_shows_the_avatar_and_moves_it_by_sliders_and_clips(tab, page):
    rest = picture(tab, "page_rest")
    shows_something(WORK / "page_rest.png")
    assert tab.title() == "a <sphere>"
    slide(tab, "jaw open", 0.4)
    slide(tab, "neck turn", 0.5)
    posed = picture(tab, "page_posed")
    assert np.abs(posed - rest)[:, :500].max() > 20
    tab.click("#reset")
    assert np.abs(picture(tab, "page_reset") - rest)[:, :500].max() <= 2
    tab.select_option("#clip", "sweep")
    tab.wait_for_timeout(2500)
    assert "frames a second" in tab.inner_text("#rate")
    tab.click("#play")
    first = picture(tab, "page_clip")
    assert np.abs(picture(tab, "page_clip") - first)[:, :500].max() == 0
    tab.click("text=reset view")
    link = tab.get_attribute("a[download]", "href")
    assert (page.parent / link).read_bytes()[:4] == b"glTF"


def values(file: gl.GLTF2, index: int) -> np.ndarray:
    """An accessor's numbers."""
    scale = 1 / 32767 if file.accessors[index].normalized else 1.0
    return scale * accessor(file, index).astype(float)


def test_vertices_are_where_the_formula_of_linear_skinning_puts_them(tab, avatar):
    file = gl.GLTF2().load(str(avatar))
    (primitive,), names = file.meshes[0].primitives, file.meshes[0].extras["targetNames"]
    amounts = dict(zip(names, file.meshes[0].weights, strict=True))
    for name, amount in AMOUNTS.items():
        amounts[name] += amount
    turns = {}
    for node in file.nodes:
        turns[node.name] = Rotation.from_quat(node.rotation) if node.rotation else Rotation.identity()
        turns[node.name] *= Rotation.from_rotvec(TURNS.get(node.name, (0.0, 0.0, 0.0)))
    for joint in ("neck", "jaw", "left_eye", "right_eye"):
        for row, line in enumerate(turns[joint].as_matrix() - np.eye(3)):
            amounts |= {f"{joint}_{row}{column}": value for column, value in enumerate(line)}
    moved = values(file, primitive.attributes.POSITION)
    for name, target in zip(names, primitive.targets, strict=True):
        moved = moved + amounts[name] * values(file, target["POSITION"])

    world: dict[int, np.ndarray] = {}

    def visit(index: int, above: np.ndarray) -> None:
        node, local = file.nodes[index], np.eye(4)
        local[:3, :3] = turns[node.name].as_matrix()
        local[:3, 3] = node.translation or 0
        world[index] = above @ local
        for child in node.children or []:
            visit(child, world[index])

    skin = file.skins[0]
    visit(skin.skeleton, np.eye(4))
    inverse = values(file, skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    matrices = np.stack([world[node] @ inverse[k] for k, node in enumerate(skin.joints)])
    joints = values(file, primitive.attributes.JOINTS_0).astype(int)
    blended = np.einsum("vk,vkmn->vmn", values(file, primitive.attributes.WEIGHTS_0), matrices[joints])
    expected = np.einsum("vmn,vn->vm", blended, np.pad(moved, ((0, 0), (0, 1)), constant_values=1))[:, :3]

    found = tab.evaluate(
        """([turns, amounts, every]) => {
          Object.assign(avatar.turns, turns);
          Object.assign(avatar.amounts, amounts);
          avatar.pose(0);
          avatar.scene.updateMatrixWorld(true);
          const mesh = avatar.meshes[0], point = mesh.position.clone(), found = [];
          for (let k = 0; k < mesh.geometry.attributes.position.count; k += every) {
            mesh.getVertexPosition(k, point);
            found.push(point.toArray());
          }
          return found;
        }""",
        [TURNS, AMOUNTS, EVERY],
    )
    np.testing.assert_allclose(found, expected[::EVERY], atol=1e-5)
    assert np.linalg.norm(expected - values(file, primitive.attributes.POSITION), axis=1).max() > 0.005
