"""A body that leans in the image leans in the fit, to the same side."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from imavatar.anatomy import Joint
from imavatar.preprocessing.feature_reprojection import to_pixels
from imavatar.preprocessing.fit_problem import FitProblem
from imavatar.preprocessing.fit_steps import minimise, moving_of
from imavatar.preprocessing.fit_unknowns import Unknowns
from imavatar.preprocessing.focal_search import Lens
from imavatar.preprocessing.initial_pose import initial_unknowns
from imavatar.preprocessing.landmark_model import LandmarkModel
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.torso_motion import TorsoMotions
from oracles_ellipsoid_head import ellipsoid_head, random_embedding

SIZE, FOCAL, N, REACH = 256, 600.0, 12, 70.0
TURN = 0.08 * np.sin(np.linspace(0, 2 * np.pi, N, endpoint=False))
"""Of the clothes in the image, from right to down, radians."""


@pytest.fixture(scope="module")
def model() -> LandmarkModel:
    head = ellipsoid_head()
    return LandmarkModel(head, random_embedding(head))


def observations(model: LandmarkModel, torso: bool) -> Observations:
    """A head that stands still, above clothes that turn about where the body's root is seen."""
    points = model(torch.zeros(100), torch.zeros(1, 50), torch.zeros(1, 15)) + torch.tensor([0, 0, -3.5])
    focal, centre = torch.tensor(FOCAL), torch.full((2,), SIZE / 2)
    seen = to_pixels(points, focal, centre).double().numpy().repeat(N, axis=0)
    root = to_pixels(model.joint_base[Joint.GLOBAL] + torch.tensor([0, 0, -3.5]), focal, centre).double().numpy()
    motion = np.stack([0 * TURN, 0 * TURN, REACH * TURN], axis=1)
    certain, place = np.broadcast_to(np.eye(3), (N, 3, 3)), np.zeros(N, int)
    motions = TorsoMotions(motion, np.ones(N, bool), certain, np.tile(root, (N, 1)), place, REACH)
    return Observations(
        landmarks=seen[:, :468],
        irises=seen[:, 468:],
        iris_weight=np.ones((N, 2)),
        video=place,
        time=np.arange(N),
        size=(SIZE, SIZE),
        torso=motions if torso else None,
    )


def shoulder_angles(unknowns: Unknowns) -> np.ndarray:
    """How far a point beside the root turns about it in the image, from right to down, radians."""
    body = Rotation.from_rotvec(unknowns.pose(torch.zeros(N, dtype=torch.long))[:, :3].numpy())
    right, up, _ = body.apply([1.0, 0, 0]).T
    return np.arctan2(-up, right)


def test_the_fitted_body_leans_as_the_clothes_do(model):
    seen = observations(model, torso=True)
    problem = FitProblem(model, seen, Lens(FOCAL / SIZE))
    unknowns = minimise(problem, initial_unknowns(problem, seen), moving_of(problem), 150, lambda: None)
    angles = shoulder_angles(unknowns)
    assert angles - angles.mean() == pytest.approx(TURN, abs=0.02)
    # The head stays where it is: the neck takes back what the body does.
    assert float(problem.residuals(unknowns).mean()) < 0.3


def test_without_clothes_the_body_does_not_lean(model):
    seen = observations(model, torso=False)
    problem = FitProblem(model, seen, Lens(FOCAL / SIZE))
    assert "lean" not in moving_of(problem)
