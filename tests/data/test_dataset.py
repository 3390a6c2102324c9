"""The data set on a sphere whose image, camera and labels are known in closed form."""

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import oracles_subject as oracle
from imavatar.data.dataset import FaceDataset
from imavatar.data.ground_truth import GroundTruth, write_ground_truth
from imavatar.data.sampling import generator_for
from imavatar.data.subject_table import SubjectTable
from imavatar.errors import DataError
from oracles_subject import write_subject


def load(folder, sub_dirs=("train",), img_res=(32, 32), **options):
    return FaceDataset(folder, "sphere", sub_dirs, img_res, **options)


def test_a_frame_is_the_rendered_sphere_on_white(tmp_path):
    frame = load(write_subject(tmp_path), use_semantics=True).frame(1)
    image, mask, labels = oracle.render(oracle.camera_centre(2), 32, 32)
    inside = mask > 0
    assert (frame.foreground.numpy() == inside).all()
    assert (frame.image.numpy()[~inside] == 1).all()
    np.testing.assert_allclose(frame.image.numpy()[inside], image[inside] / 127.5 - 1, atol=1e-6)
    assert ((frame.semantics[..., 0] == 1).numpy() == (labels == oracle.SKIN)).all()
    assert ((frame.semantics[..., 6] == 1).numpy() == (labels == oracle.HAIR)).all()
    assert (frame.name, frame.sub_dir) == ("2", "train")


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_the_camera_sees_the_sphere_where_the_image_has_it(tmp_path, size):
    dataset = load(write_subject(tmp_path, size=size), img_res=size)
    frame = dataset.frame(2)
    v, u = torch.nonzero(frame.foreground, as_tuple=True)
    fx, fy, cx, cy = frame.camera.intrinsics[0]
    local = torch.stack([-(u - cx) / fx, -(v - cy) / fy, -torch.ones(len(u))], dim=-1)
    world_from_camera = frame.camera.world_from_camera[0]
    direction = torch.nn.functional.normalize(local @ world_from_camera[:3, :3].T, dim=-1)
    closest = torch.linalg.cross(world_from_camera[:3, 3].expand_as(direction), direction, dim=-1)
    assert closest.norm(dim=-1).max() < oracle.RADIUS
    assert closest.norm(dim=-1).max() > 0.8 * oracle.RADIUS


def test_world_from_camera_undoes_any_world_mat(tmp_path):
    data = write_subject(tmp_path)
    path = data / "sphere/sphere/train/flame_params.json"
    tree = json.loads(path.read_text())
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    world_mat = np.column_stack([rotation, [0.1, -0.2, -4]])
    tree["frames"][0]["world_mat"] = world_mat.tolist()
    path.write_text(json.dumps(tree))
    inverse = load(data).camera([0]).world_from_camera[0].double().numpy()
    np.testing.assert_allclose(np.vstack([world_mat, [0, 0, 0, 1]]) @ inverse, np.eye(4), atol=1e-6)


def test_intrinsics_are_pixels_of_the_image_size_asked_for(tmp_path):
    dataset = load(write_subject(tmp_path), img_res=(20, 40))
    expected = torch.tensor([-2.2 * 40, 2.2 * 20, 20.0, 10.0])
    torch.testing.assert_close(dataset.camera().intrinsics, expected.expand(4, 4))


def test_keypoints_and_box_are_pixels(tmp_path):
    frame = load(write_subject(tmp_path), img_res=(20, 40)).frame(0)
    points = (oracle.landmarks(oracle.camera_centre(1)) + 1) / 2 * [40, 20]
    np.testing.assert_allclose(frame.keypoints, points, atol=1e-4)
    box = [*points.min(axis=0), *points.max(axis=0)]
    np.testing.assert_allclose(frame.bbox, box, atol=1e-4)


def test_targets_of_a_batch_are_the_frames_at_its_pixels(tmp_path):
    dataset = load(write_subject(tmp_path), img_res=(24, 32), use_semantics=True)
    batch = dataset.batch([3, 1], 60, generator_for(0, 0, 0))
    assert batch.frame.tolist() == [3, 1]
    assert batch.pixels.shape == (120, 2) and batch.pixels.dtype == torch.float32
    for row, index in enumerate([3, 1]):
        rays = batch.rays_frame == row
        frame = dataset.frame(index)
        u, v = batch.pixels[rays].long().unbind(dim=-1)
        assert rays.sum() == 60
        assert torch.equal(batch.rgb[rays], frame.image[v, u])
        assert torch.equal(batch.foreground[rays], frame.foreground[v, u])
        assert torch.equal(batch.semantics[rays], frame.semantics[v, u])
        assert torch.equal(batch.head.pose[row], frame.head.pose[0])
        assert torch.equal(batch.camera.world_from_camera[row], frame.camera.world_from_camera[0])


def test_a_batch_depends_on_its_generator_alone(tmp_path):
    dataset = load(write_subject(tmp_path))
    dataset.batch([0, 1, 2, 3], 10, generator_for(9, 9, 9))
    again = load(tmp_path)
    one, two = (d.batch([2], 50, generator_for(0, 5, 2)) for d in (dataset, again))
    assert torch.equal(one.pixels, two.pixels) and torch.equal(one.rgb, two.rgb)


def test_without_semantics_their_files_are_not_needed(tmp_path):
    dataset = load(write_subject(tmp_path, semantics=False))
    assert dataset.batch([0], 10, generator_for(0, 0, 0)).semantics is None
    assert dataset.frame(0).semantics is None


@pytest.mark.parametrize(
    ("subsample", "expected"),
    [
        (1, [1, 2, 3, 4, 5, 6]),
        (4, [1, 5]),
        ([1, 3], [2, 3]),
        ((5, 0, 2), [6, 1, 3]),
    ],
)
def test_subsample_takes_every_nth_a_range_or_indices(tmp_path, subsample, expected):
    dataset = load(write_subject(tmp_path, n_frames=6), subsample=subsample)
    assert [int(record.name) for record in dataset.records] == expected
    assert len(dataset) == len(expected)
    centres = [oracle.camera_centre(k) for k in expected]
    actual = dataset.camera().world_from_camera[:, :3, 3]
    np.testing.assert_allclose(actual, centres, atol=1e-6)


@pytest.mark.parametrize("subsample", [[2, 9], [0, 1, 4], [3, 3]])
def test_frames_that_do_not_exist_cannot_be_asked_for(tmp_path, subsample):
    with pytest.raises(DataError, match="the frames 0 to 3"):
        load(write_subject(tmp_path), subsample=subsample)


def test_the_last_recording_gives_shape_and_intrinsics(tmp_path):
    data = write_subject(tmp_path)
    path = data / "sphere/sphere/test/flame_params.json"
    tree = json.loads(path.read_text())
    tree.update(shape_params=[1.5] * 100, intrinsics=[-3.0, 3.0, 0.5, 0.5])
    path.write_text(json.dumps(tree))
    dataset = load(data, ("train", "test"))
    assert (dataset.shape_params == 1.5).all()
    assert (dataset.camera().intrinsics[:, 0] == -96).all()
    assert dataset.names[:5] == ["train/1", "train/2", "train/3", "train/4", "test/1"]


def test_a_mask_of_another_size_is_resized_to_the_image(tmp_path):
    data = write_subject(tmp_path)
    path = data / "sphere/sphere/train/mask/1.png"
    large = oracle.render(oracle.camera_centre(1), 128, 128)[1]
    cv2.imwrite(str(path), large)
    small = oracle.render(oracle.camera_centre(1), 32, 32)[1] > 0
    foreground = load(data).frame(0).foreground.numpy()
    assert foreground.shape == (32, 32)
    # The two sizes disagree only about pixels that the outline crosses, and there are about 60 of those.
    assert (foreground != small).sum() < 40


@pytest.mark.parametrize("kind", ["image", "mask", "semantic"])
def test_a_missing_file_names_its_kind_sub_dir_and_frame(tmp_path, kind):
    data = write_subject(tmp_path)
    (data / "sphere/sphere/test" / kind / "3.png").unlink()
    with pytest.raises(DataError, match=rf"the {kind}.* of frame 3 in sub_dir test is missing"):
        load(data, ("train", "test"), use_semantics=True)


def test_a_missing_sub_dir_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent/flame_params\.json: no such file"):
        load(write_subject(tmp_path), ("train", "absent"))


def test_more_expression_coefficients_than_recorded_cannot_be_used(tmp_path):
    with pytest.raises(DataError, match=r"frame 1 has 50 expression values.*60"):
        load(write_subject(tmp_path), n_expression=60)


def test_fewer_expression_coefficients_are_the_first_ones(tmp_path):
    data = write_subject(tmp_path)
    path = data / "sphere/sphere/train/flame_params.json"
    tree = json.loads(path.read_text())
    tree["frames"][0]["expression"] = list(range(100))
    path.write_text(json.dumps(tree))
    assert load(data, n_expression=10).head([0]).expression[0].tolist() == list(range(10))


def test_with_only_the_json_no_image_is_needed(tmp_path):
    data = write_subject(tmp_path)
    for path in (data / "sphere/sphere/train").glob("*/*.png"):
        path.unlink()
    table = SubjectTable(data, "sphere", ["train"], (32, 32))
    frame = table.frame(0)
    assert frame.image is None and frame.foreground is None
    assert len(table.head()) == len(table.camera()) == 4
    with pytest.raises(DataError, match="the image of frame 1"):
        load(data)


def test_a_table_and_a_data_set_say_the_same_of_heads_and_cameras(tmp_path):
    data = write_subject(tmp_path, n_frames=6)
    options = {"subsample": 2, "n_expression": 20}
    table, dataset = (
        SubjectTable(data, "sphere", ["train"], (20, 40), **options),
        load(data, img_res=(20, 40), **options),
    )
    assert table.names == dataset.names and torch.equal(table.shape_params, dataset.shape_params)
    assert torch.equal(table.head().expression, dataset.head().expression)
    assert torch.equal(table.camera().intrinsics, dataset.camera().intrinsics)
    for name in ("keypoints", "bbox"):
        assert torch.equal(getattr(table.frame(1), name), getattr(dataset.frame(1), name))


KINDS = ["image", "mask", "semantic"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("whole", [False, True])
def test_a_link_out_of_the_recording_is_refused(tmp_path, kind, whole):
    data = write_subject(tmp_path / "data")
    folder = data / "sphere/sphere/train"
    outside = tmp_path / "outside"
    outside.mkdir()
    inner = folder / kind if whole else folder / kind / "2.png"
    inner.rename(outside / inner.name)
    inner.symlink_to(outside / inner.name)
    for options in ({"use_semantics": True}, {"use_semantics": True, "sub_dirs": ("test", "train")}):
        with pytest.raises(DataError, match=r"\.png: a symbolic link leads to .*outside/.*link the whole folder"):
            load(data, **options)


def test_what_is_not_read_may_lie_anywhere(tmp_path):
    data = write_subject(tmp_path / "data")
    semantic = data / "sphere/sphere/train/semantic"
    semantic.rename(tmp_path / "semantic")
    semantic.symlink_to(tmp_path / "semantic")
    assert load(data).frame(0).semantics is None


def test_a_link_that_is_made_later_is_not_followed_either(tmp_path):
    data = write_subject(tmp_path / "data")
    dataset = load(data)
    path = data / "sphere/sphere/train/mask/2.png"
    path.rename(tmp_path / "2.png")
    path.symlink_to(tmp_path / "2.png")
    with pytest.raises(DataError, match="a symbolic link leads to"):
        dataset.batch([1], 10, generator_for(0, 0, 0))


def test_links_to_a_whole_recording_and_within_one_are_followed(tmp_path):
    data = write_subject(tmp_path / "data")
    folder = data / "sphere/sphere/train"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    (folder / "image").rename(folder / "pictures")
    (folder / "image").symlink_to("pictures")
    (folder / "mask/2.png").rename(folder / "mask/other.png")
    (folder / "mask/2.png").symlink_to("other.png")
    (tmp_path / "data link").symlink_to(data)
    dataset = load(tmp_path / "data link", use_semantics=True)
    mask = oracle.render(oracle.camera_centre(2), 32, 32)[1] > 0
    assert (dataset.frame(1).foreground.numpy() == mask).all()


def write_truth(data) -> dict[str, Path]:
    """Normals, depth and where they are exact of frame 2, and their files."""
    folder = data / "sphere/sphere/train"
    normals = np.zeros((32, 32, 3), np.float32)
    normals[..., 2] = 1
    write_ground_truth(folder, "2", GroundTruth(normals, np.full((32, 32), 2.0), np.ones((32, 32), bool)))
    return {kind: folder / "ground_truth" / kind / "2.png" for kind in ("normal", "depth", "exact")}


def test_ground_truth_comes_with_a_frame(tmp_path):
    data = write_subject(tmp_path)
    write_truth(data)
    frame = load(data).frame(1)
    assert (frame.normals[..., 2] == 1).all() and (frame.depth == 2).all() and frame.exact.all()
    assert load(data).frame(0).normals is None


@pytest.mark.parametrize("kind", ["normal", "depth", "exact"])
def test_ground_truth_from_elsewhere_or_of_any_size_is_refused(tmp_path, kind):
    data = write_subject(tmp_path / "data")
    path = write_truth(data)[kind]
    content = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 65535, 65535) + content[24:29]
    path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])
    with pytest.raises(DataError, match=r"2\.png: the .* has 65535 x 65535 pixels"):
        load(data).frame(1)
    path.unlink()
    (tmp_path / "2.png").write_bytes(content)
    path.symlink_to(tmp_path / "2.png")
    with pytest.raises(DataError, match=r"2\.png: a symbolic link leads to"):
        load(data).frame(1)


def test_an_image_out_of_the_recording_is_neither_required_nor_read(tmp_path):
    """The image beside the subject is there, and must not be taken."""
    data = write_subject(tmp_path)
    folder = data / "sphere/sphere/train"
    for target in (data / "sphere/1x.png", folder / "mask/1x.png", folder / "semantic/1x.png"):
        target.write_bytes((folder / "image/1.png").read_bytes())
    path = folder / "flame_params.json"
    tree = json.loads(path.read_text())
    for file_path in ("../../1x", str(data / "sphere/1x")):
        tree["frames"][0]["file_path"] = file_path
        path.write_text(json.dumps(tree))
        with pytest.raises(DataError, match=r"frame 0: file_path is .*expected a path below the recording's folder"):
            load(data)


def test_numbers_are_finite_in_single_precision_at_the_bounds_that_are_let_through(tmp_path):
    data = write_subject(tmp_path)
    path = data / "sphere/sphere/train/flame_params.json"
    tree = json.loads(path.read_text())
    rotation = np.array([[1e6, 0, 0], [0, 1e-3, 0], [0, 0, 1e-9]])
    tree["frames"][0].update(world_mat=np.column_stack([rotation, [1e6] * 3]).tolist(), pose=[100.0] * 15)
    tree["frames"][0].update(expression=[-1000.0] * 50, bbox=[-1000, -1000, 1000, 1000])
    tree["intrinsics"] = [-1e-3, 1e6, -1e6, 1]
    path.write_text(json.dumps(tree))
    frame = load(data).frame(0)
    for values in (frame.camera.world_from_camera, frame.camera.intrinsics, frame.head.pose, frame.bbox):
        assert values.isfinite().all()
