"""A posed head under a camera of our own: files that are right, and wrong in the ways that people get them wrong."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from imavatar.cli.check_data import check_data_main
from imavatar.files.locks import locked
from imavatar.head.assets import save_head
from imavatar.head.flame import Flame
from imavatar.head.landmarks import embedding_path, flame_keypoints, save_embedding
from imavatar.numerics.rasterize import rasterize
from imavatar.types import HeadParameters
from oracles_ellipsoid_head import ellipsoid_head, random_embedding

HEIGHT, WIDTH = 72, 96
FOCAL = 2.0
POSE = [0.1, -0.35, 0.05, *[0.0] * 12]
CENTRE = np.array([0.1, 0.05, 3.0])
"""Of the camera, model units: the world's axes are the camera's."""

CONF = """
train {{ exps_folder = "{root}/runs", methodname = m }}
loss {{ gt_w_seg = {semantics} }}
dataset {{ data_folder = "{root}", subject_name = s
          train {{ sub_dir = [a, b], img_res = [72, 96] }}, test {{ sub_dir = [b], img_res = [72, 96] }} }}
model {{ head_model = "{root}/head.npz" }}
"""


def pixels_of(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and depths of world points, from the camera's geometry: u to the right, v down."""
    local = points - CENTRE
    depth = -local[:, 2]
    u = WIDTH / 2 + FOCAL * WIDTH * local[:, 0] / depth
    v = HEIGHT / 2 - FOCAL * WIDTH * local[:, 1] / depth
    return np.stack([u, v], axis=-1), depth


def write(root: Path, *, embedding: bool = True, semantics: bool = True) -> Path:
    """Two recordings of two frames; returns the configuration."""
    assets, places = ellipsoid_head(), random_embedding(ellipsoid_head())
    save_head(root / "head.npz", assets)
    if embedding:
        save_embedding(embedding_path(root / "head.npz"), places, assets)
    flame = Flame(assets, torch.zeros(100))
    vertices = flame.vertices(HeadParameters(torch.zeros(1, 50), torch.tensor([POSE])))
    keypoints = pixels_of(flame_keypoints(vertices, assets, places)[0].numpy())[0]
    pixels, depth = pixels_of(vertices[0].numpy())
    eyeball = (assets.weights[:, 3:].sum(axis=1) > 0.9)[assets.faces].all(axis=1)
    raster = rasterize(pixels, depth, assets.faces, (HEIGHT, WIDTH))
    labels = np.where(raster.covered, np.where(eyeball[raster.face], 4, 1), 0).astype(np.uint8)
    unit = 2 * keypoints / [WIDTH, HEIGHT] - 1
    for sub_dir in ("a", "b"):
        folder = root / "s" / "s" / sub_dir
        for kind in ("image", "mask", "semantic")[: 3 if semantics else 2]:
            (folder / kind).mkdir(parents=True)
            for k in (1, 2):
                picture = {"image": 40 * labels, "mask": 255 * (labels > 0).astype(np.uint8), "semantic": labels}[kind]
                cv2.imwrite(str(folder / kind / f"{k}.png"), picture)
        frames = [
            {
                "file_path": f"./image/{k}",
                "world_mat": np.column_stack([np.eye(3), -CENTRE]).tolist(),
                "expression": [0.0] * 50,
                "pose": POSE,
                "bbox": [*unit.min(axis=0).tolist(), *unit.max(axis=0).tolist()],
                "flame_keypoints": unit.tolist(),
            }
            for k in (1, 2)
        ]
        tree = {
            "frames": frames,
            "intrinsics": [-FOCAL, FOCAL * WIDTH / HEIGHT, 0.5, 0.5],
            "shape_params": [0.0] * 100,
        }
        (folder / "flame_params.json").write_text(json.dumps(tree))
    conf = root / "c.conf"
    conf.write_text(CONF.format(root=root, semantics=semantics))
    return conf


def run(conf: Path, *arguments: str) -> int:
    """The command's exit code."""
    try:
        check_data_main(["--conf", str(conf), *arguments])
    except SystemExit as stop:
        return int(stop.code)
    return 0


@pytest.mark.parametrize(("embedding", "semantics"), [(True, True), (False, True), (True, False)])
def test_a_consistent_data_set_is_drawn_and_passes(tmp_path, capsys, embedding, semantics):
    conf = write(tmp_path, embedding=embedding, semantics=semantics)
    assert run(conf) == 0
    printed = capsys.readouterr().out
    assert "camera convention: consistent" in printed
    assert ("no landmark embedding" in printed) != embedding
    out = tmp_path / "runs" / "s" / "m" / "a+b" / "check_data" / "train"
    assert {p.name for p in out.glob("*.png")} == {"a_1.png", "a_2.png", "b_1.png", "b_2.png", "contact_sheet.png"}
    found = json.loads((out / "check_data.json").read_text())
    assert found["consistent"] and set(found["frames"]) == {"a/1", "a/2", "b/1", "b/2"}
    for frame in found["frames"].values():
        assert frame["on_mask"] > 0.85 and frame["in_front"] == 1
        if embedding:
            assert frame["landmark_error"] < 1e-3  # the files hold exact projections
    picture = cv2.imread(str(out / "a_1.png"))
    assert picture.shape[1] == 3 * 4 * WIDTH


@pytest.mark.parametrize("unit", [{}, {"intrinsics_unit": "image_sizes"}])
def test_a_crop_above_the_cameras_axis_passes(tmp_path, capsys, unit):
    conf, rows = write(tmp_path), 34
    for path in (tmp_path / "s" / "s").glob("*/*/*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:rows])

    def cropped(points: list) -> list:
        return [[x, (y + 1) * HEIGHT / rows - 1] for x, y in points]

    change_frames(tmp_path, "flame_keypoints", cropped)
    change_frames(tmp_path, "bbox", lambda box: [*cropped([box[:2]])[0], *cropped([box[2:]])[0]])
    for path in (tmp_path / "s" / "s").glob("*/flame_params.json"):
        tree = json.loads(path.read_text())
        fx, fy, cx, cy = tree["intrinsics"]
        tree.update(intrinsics=[fx, fy * HEIGHT / rows, cx, cy * HEIGHT / rows], **unit)
        assert tree["intrinsics"][3] > 1
        path.write_text(json.dumps(tree))
    conf.write_text(conf.read_text().replace("[72, 96]", f"[{rows}, 96]"))
    assert run(conf) == 0
    out = tmp_path / "runs" / "s" / "m" / "a+b" / "check_data" / "train"
    for frame in json.loads((out / "check_data.json").read_text())["frames"].values():
        assert frame["landmark_error"] < 1e-3 and frame["on_mask"] > 0.85 and 0.2 < frame["in_image"] < 0.8


def set_intrinsics(x, y, cx=1.0, cy=1.0):
    def change(matrix, intrinsics):
        intrinsics[:] *= [x, y, cx, cy]

    return change


def invert(matrix, intrinsics):
    matrix[:, 3] = -matrix[:, :3].T @ matrix[:, 3]
    matrix[:, :3] = matrix[:, :3].T


def as_opencv(matrix, intrinsics):
    matrix[1:] *= -1


def translations(factor):
    def change(matrix, intrinsics):
        matrix[:, 3] *= factor

    return change


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (invert, "world_mat maps camera to world"),
        (as_opencv, "the camera looks along +z with y down"),
        (translations(0.25), "translations in metres"),
        (translations(250), "translations in millimetres"),
        (set_intrinsics(0.5, 0.5, 0.5, 0.5), "intrinsics of an image of half the size"),
        (set_intrinsics(2, 2, 2, 2), "intrinsics of an image of twice the size"),
    ],
)
def test_a_mistaken_convention_is_named(tmp_path, capsys, change, verdict):
    conf = write(tmp_path)
    for path in (tmp_path / "s" / "s").glob("*/flame_params.json"):
        tree = json.loads(path.read_text())
        intrinsics = np.array(tree["intrinsics"])
        change(np.zeros((3, 4)), intrinsics)
        for frame in tree["frames"]:
            matrix = np.array(frame["world_mat"])
            change(matrix, np.zeros(4))
            frame["world_mat"] = matrix.tolist()
        tree["intrinsics"] = intrinsics.tolist()
        path.write_text(json.dumps(tree))
    assert run(conf, "--frames", "2", "--out", str(tmp_path / "out")) == 1
    assert f"camera convention: {verdict}" in capsys.readouterr().out
    assert not json.loads((tmp_path / "out" / "check_data.json").read_text())["consistent"]


def change_frames(root: Path, key: str, value) -> None:
    for path in (root / "s" / "s").glob("*/flame_params.json"):
        tree = json.loads(path.read_text())
        for frame in tree["frames"]:
            frame[key] = value(frame[key])
        path.write_text(json.dumps(tree))


@pytest.mark.parametrize(("axis", "verdict"), [(0, "mirrored images"), (1, "images upside down")])
def test_flipped_images_are_named(tmp_path, capsys, axis, verdict):
    conf = write(tmp_path)
    for path in (tmp_path / "s" / "s").glob("*/*/*.png"):
        cv2.imwrite(str(path), cv2.flip(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), 1 - axis))
    flip = [-1, 1] if axis == 0 else [1, -1]
    change_frames(tmp_path, "flame_keypoints", lambda points: (np.array(points) * flip).tolist())
    assert run(conf) == 1
    assert f"camera convention: {verdict}" in capsys.readouterr().out


def test_a_head_that_is_somewhere_else_fits_no_convention(tmp_path, capsys):
    conf = write(tmp_path)
    change_frames(tmp_path, "world_mat", lambda m: [[*row[:3], row[3] + 0.5] for row in m])
    assert run(conf) == 1
    assert "under any reading" in capsys.readouterr().out


def test_landmarks_in_another_order_leave_the_verdict_to_the_semantic_maps(tmp_path, capsys):
    conf = write(tmp_path)
    change_frames(tmp_path, "flame_keypoints", lambda points: points[::-1])
    assert run(conf) == 0
    printed = capsys.readouterr().out
    assert "consistent (eyes of the semantic maps" in printed and "not the head's landmarks" in printed


def test_an_empty_mask_and_missing_files_are_no_reason_to_crash(tmp_path, capsys):
    conf = write(tmp_path)
    mask = tmp_path / "s" / "s" / "a" / "mask" / "1.png"
    cv2.imwrite(str(mask), np.zeros((HEIGHT, WIDTH), np.uint8))
    assert run(conf) == 0
    assert "empty" in capsys.readouterr().out
    mask.unlink()
    assert run(conf) == 2
    error = capsys.readouterr().err
    assert "mask" in error and error.count("\n") == 1


def test_one_process_writes_pictures_into_a_folder(tmp_path, capsys):
    conf, out = write(tmp_path), tmp_path / "out"
    out.mkdir()
    own, others = out / ".contact_sheet.png.7-0a1b2c3d.tmp.png", out / "download.partial"
    for path in (own, others):
        path.touch()
    with locked(out / ".lock", "a test"):
        assert run(conf, "--out", str(out)) == 2
    assert f"error: {out}: a test (process " in capsys.readouterr().err and own.exists()
    assert run(conf, "--out", str(out)) == 0
    assert not own.exists() and others.exists() and (out / "check_data.json").is_file()
