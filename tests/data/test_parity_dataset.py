"""A data set in the authors' layout, and the rays that their own loader made of it."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from imavatar.data.dataset import FaceDataset

SHARED = Path(os.environ.get("IMAVATAR_SHARED", Path(__file__).parents[2].parent / "shared"))
PARITY = SHARED / "data" / "parity"

pytestmark = pytest.mark.skipif(not (PARITY / "dataset").is_dir(), reason=f"the shared parity data is not at {PARITY}")


@pytest.fixture(scope="module")
def dataset():
    return FaceDataset(PARITY / "dataset", "subject1", ["MVI_1810"], (256, 256), use_semantics=True)


@pytest.fixture(scope="module")
def recorded():
    with np.load(PARITY / "reference_outputs.npz") as stored:
        return {key: torch.from_numpy(stored[key]) for key in stored.files if key.startswith("in/")}


def test_colours_foreground_and_semantics_are_the_authors(dataset, recorded):
    frame = dataset.frame(int(recorded["in/frame_index"]))
    u, v = recorded["in/uv"][0].long().unbind(dim=-1)
    torch.testing.assert_close(frame.image[v, u], recorded["in/rgb"][0], atol=1e-6, rtol=0)
    assert torch.equal(frame.foreground[v, u], recorded["in/object_mask"][0])
    assert torch.equal(frame.semantics[v, u], recorded["in/semantics"][0])


def test_camera_and_head_are_the_authors(dataset, recorded):
    frame = dataset.frame(int(recorded["in/frame_index"]))
    matrix = recorded["in/intrinsics"][0]
    expected = torch.stack([matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]])
    torch.testing.assert_close(frame.camera.intrinsics[0], expected)
    torch.testing.assert_close(frame.camera.world_from_camera, recorded["in/cam_pose"])
    torch.testing.assert_close(frame.head.expression, recorded["in/expression"])
    torch.testing.assert_close(frame.head.pose, recorded["in/flame_pose"])
    torch.testing.assert_close(dataset.shape_params, recorded["in/shape_params"][0])
