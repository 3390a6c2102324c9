"""What the writer writes is what the reader reads."""

import numpy as np
import pytest

from imavatar.data.dataset import FaceDataset
from imavatar.data.subject_writer import SubjectWriter, TrackedFrame
from imavatar.errors import DataError

INTRINSICS = np.array([-2.5, 2.5, 0.48, 0.51])


def parameters(rng):
    """Parameters of a frame, all different."""
    return {
        "world_mat": np.column_stack([np.eye(3), rng.normal(size=3)]),
        "expression": rng.normal(size=50),
        "pose": rng.normal(size=15),
        "keypoints": rng.uniform(-1, 1, (70, 2)),
        "bbox": np.array([-0.5, -0.4, 0.3, 0.6]),
    }


def pictures(rng, size=(12, 16)):
    """Image, mask and labels of a frame."""
    return (
        rng.integers(0, 256, (*size, 3), dtype=np.uint8),
        np.where(rng.random(size) > 0.5, 255, 0).astype(np.uint8),
        rng.integers(0, 19, size, dtype=np.uint8),
    )


def test_a_written_recording_is_read_back(tmp_path):
    rng = np.random.default_rng(0)
    writer = SubjectWriter(tmp_path / "ada" / "ada" / "train")
    shape = rng.normal(size=100)
    written = [(pictures(rng), parameters(rng)) for _ in range(2)]
    names = [writer.add_frame(*images, TrackedFrame(**values)) for images, values in written]
    writer.finish(INTRINSICS, shape)
    dataset = FaceDataset(tmp_path, "ada", ["train"], (12, 16), use_semantics=True)

    assert names == ["1", "2"]
    np.testing.assert_allclose(dataset.shape_params, shape, atol=1e-6)
    for index, ((image, mask, _), values) in enumerate(written):
        frame = dataset.frame(index)
        assert (frame.foreground.numpy() == (mask == 255)).all()
        inside = mask == 255
        np.testing.assert_allclose(frame.image.numpy()[inside], image[inside] / 127.5 - 1, atol=1e-6)
        np.testing.assert_allclose(frame.head.expression[0], values["expression"], atol=1e-6)
        np.testing.assert_allclose(frame.head.pose[0], values["pose"], atol=1e-6)
        centre = frame.camera.world_from_camera[0, :3, 3]
        np.testing.assert_allclose(centre, -values["world_mat"][:, 3], atol=1e-6)


def test_the_json_appears_only_when_the_recording_is_complete(tmp_path):
    rng = np.random.default_rng(0)
    writer = SubjectWriter(tmp_path)
    writer.add_frame(*pictures(rng), TrackedFrame(**parameters(rng)))
    assert not (tmp_path / "flame_params.json").exists()
    writer.finish(INTRINSICS, np.zeros(100))
    assert (tmp_path / "flame_params.json").exists()
    SubjectWriter(tmp_path)
    assert not (tmp_path / "flame_params.json").exists()


def test_values_that_could_not_be_read_are_not_written(tmp_path):
    rng = np.random.default_rng(0)
    writer = SubjectWriter(tmp_path)
    values = parameters(rng)
    values["expression"][3] = np.nan
    writer.add_frame(*pictures(rng), TrackedFrame(**values))
    with pytest.raises(DataError, match=r"frame 0.*expression\[3\] is nan"):
        writer.finish(INTRINSICS, np.zeros(100))
    assert not (tmp_path / "flame_params.json").exists()


def test_pictures_of_different_sizes_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    image, _, labels = pictures(rng)
    with pytest.raises(ValueError, match="differ in size"):
        SubjectWriter(tmp_path).add_frame(image, np.zeros((5, 5), np.uint8), labels, TrackedFrame(**parameters(rng)))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/train: cannot be written"):
        SubjectWriter(tmp_path / "file" / "train")
