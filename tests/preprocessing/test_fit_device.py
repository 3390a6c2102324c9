"""All tensors of the fit are made on the device that is asked for.

Where it is not named, a tensor is made here without any storage: what is computed of it and of another one fails.
"""

import numpy as np
import pytest
import torch

from imavatar.anatomy import ParsingLabel
from imavatar.preprocessing import focal_fit, tracking
from imavatar.preprocessing.appearance import Pictures
from imavatar.preprocessing.feature_tracks import FeatureTracker, FeatureTracks
from imavatar.preprocessing.focal_search import Lens
from imavatar.preprocessing.landmark_model import LandmarkModel
from imavatar.preprocessing.observations import Observations
from oracles_ellipsoid_head import ellipsoid_head, random_embedding

SIZE, FOCAL, N = 64, 150.0, 6


class Still(FeatureTracker):
    """Stands in for optical flow: four points that do not move."""

    def __init__(self):
        # The class that it stands in for is frozen.
        vars(self)["points"] = np.array([[20.0, 20], [40, 20], [20, 30], [40, 30]])

    def follow(self) -> FeatureTracks:
        """Every frame shows every point."""
        track, frame = np.repeat(np.arange(4), N), np.tile(np.arange(N), 4)
        start = np.zeros(4, np.int64)
        return FeatureTracks(start, self.points, track, frame, self.points[track], np.ones(4 * N))

    def close_loops(self, tracks, rotation, predict) -> FeatureTracks:
        """Nothing new."""
        assert rotation.shape == (N, 3, 3) and predict(1, np.arange(4)).shape == (4, 2)
        return tracks


@pytest.fixture
def fit(monkeypatch):
    """A fit of very few steps: of a lens, on a device."""
    head = ellipsoid_head()
    embedding = random_embedding(head)
    for module, names in (
        (tracking, ("RIGID_STEPS", "ALL_STEPS", "APPEARANCE_STEPS", "LOOP_STEPS")),
        (focal_fit, ("RIGID_STEPS", "SEARCH_STEPS", "NEXT_STEPS")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, 2)
    zero = torch.zeros
    model = LandmarkModel(head, embedding)
    points = model(zero(100), zero(1, 50), zero(1, 15))[0].double().numpy() + [0, 0, -3.5]
    pixels = np.repeat((SIZE / 2 + FOCAL * points[:, :2] * [1, -1] / -points[:, 2:])[None], N, axis=0)
    observations = Observations(
        pixels[:, :468], pixels[:, 468:], np.ones((N, 2)), np.zeros(N, int), np.arange(N), (SIZE, SIZE)
    )
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[16:48, 16:48], labels[50:] = ParsingLabel.SKIN, ParsingLabel.CLOTH
    image = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), np.uint8)
    pictures = Pictures(lambda _: image, lambda _: labels)

    def fitted(lens: Lens | None, device: str) -> tracking.TrackingResult:
        return tracking.fit_head(
            observations, head, embedding, lens=lens, features=Still(), pictures=pictures, device=device
        )

    return fitted


@pytest.mark.parametrize("lens", [Lens(FOCAL), None], ids=["known", "searched"])
def test_every_tensor_is_made_on_the_device(fit, lens):
    with torch.device("meta"):
        assert torch.zeros(1).is_meta
        result = fit(lens, "cpu")
    assert np.isfinite(result.landmarks).all() and result.pose.shape == (N, 15)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
@pytest.mark.parametrize("lens", [Lens(FOCAL), None], ids=["known", "searched"])
def test_a_gpu_finds_what_a_cpu_finds(fit, lens):
    on_cpu, on_gpu = fit(lens, "cpu"), fit(lens, "cuda")
    assert on_gpu.landmarks == pytest.approx(on_cpu.landmarks, abs=0.05)
    assert on_gpu.pose == pytest.approx(on_cpu.pose, abs=1e-3)
