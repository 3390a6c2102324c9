"""Where a fit starts: head rotation and position in closed form, from an orthographic camera."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from imavatar.anatomy import N_EXPRESSION, N_SHAPE, Joint
from imavatar.head.landmarks import N_LANDMARKS
from imavatar.preprocessing.fit_problem import FitProblem
from imavatar.preprocessing.fit_unknowns import Unknowns
from imavatar.preprocessing.observations import Observations


def orthographic_pose(
    points: Float[np.ndarray, "l 3"], image: Float[np.ndarray, "n l 2"], weights: Float[np.ndarray, " l"]
) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, " n"], Float[np.ndarray, "n 2"]]:
    """Rotation, scale and shift with image = scale * (rotation @ point)[:2] + shift, in the least-squares sense.

    The best affine map is found linearly; its two rows are then made orthogonal and equally long. The image has y up.
    """
    root = np.sqrt(weights)[:, None]
    design = np.concatenate([points, np.ones_like(points[:, :1])], axis=1) * root
    inverse = np.linalg.pinv(design)  # [4, l]
    affine = np.einsum("cl,nlx->nxc", inverse, image * root)  # [n, 2, 4]
    left, stretch, right = np.linalg.svd(affine[..., :3], full_matrices=False)
    rows = left @ right  # [n, 2, 3]
    third = np.cross(rows[:, 0], rows[:, 1])
    return np.concatenate([rows, third[:, None]], axis=1), stretch.mean(axis=1), affine[..., 3]


def initial_unknowns(problem: FitProblem, observations: Observations) -> Unknowns:
    """Unknowns for the mean neutral face, turned and placed as the detections say."""
    n, width = len(observations), observations.size[1]
    like = problem.points
    neutral = problem.model(like.new_zeros(N_SHAPE), like.new_zeros(1, N_EXPRESSION), like.new_zeros(1, 15))
    template = neutral[0, :N_LANDMARKS].double().cpu().numpy()
    centre = problem.centre.double().cpu().numpy()
    image = (observations.landmarks - centre) / width * [1.0, -1.0]
    rotation, scale, shift = orthographic_pose(template, image, problem.landmark_weight)
    place, body = observations.place, np.tile(np.eye(3), (observations.place.max() + 1, 1, 1))
    for number in np.unique(place):
        body[number] = _mean_rotation(rotation[place == number])
    of_frame = body[place]
    neck = of_frame.transpose(0, 2, 1) @ rotation
    joints = problem.model.joint_base.double().cpu().numpy()
    root, pivot = joints[Joint.GLOBAL], joints[Joint.NECK]
    # the head turns about the neck joint, the orthographic pose about the origin
    offset = rotation @ pivot - of_frame @ (pivot - root) - root
    position = np.concatenate([shift + offset[:, :2] * scale[:, None], -np.log(scale)[:, None]], axis=1)

    return Unknowns(
        shape=like.new_zeros(N_SHAPE),
        expression=like.new_zeros(n, N_EXPRESSION),
        lids=like.new_zeros(n, 2),
        rotation=like.new_tensor(Rotation.from_matrix(body).as_rotvec()),
        lean=like.new_zeros(n),
        neck=like.new_tensor(Rotation.from_matrix(neck).as_rotvec()),
        jaw=like.new_zeros(n, 3),
        iris_bias=like.new_zeros(2),
        gaze=like.new_zeros(n, 2, 2),
        image_position=like.new_tensor(position),
        log_focal=like.new_tensor(problem.prior_log_focal),
        depth_offset=like.new_zeros(0),
    )


def _mean_rotation(rotations: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation nearest to the mean of the matrices."""
    left, _, right = np.linalg.svd(rotations.mean(axis=0))
    flip = np.diag([1.0, 1.0, np.linalg.det(left @ right)])
    return left @ flip @ right
