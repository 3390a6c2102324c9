"""The open head's skeleton and pose correctives, fitted to what MakeHuman's artists drew."""

import logging

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

from imavatar.anatomy import N_JOINTS, POSE_FEATURE_SIZE, Joint
from imavatar.head.assets import MOUTH_PARTS
from imavatar.head.open_head_mesh import HeadMesh

logger = logging.getLogger(__name__)

NECK_BETWEEN = 0.45
"""The neck joint lies this share of the way from the base of the neck to the skull."""
ROOT_BELOW_NECK = 0.02
REGRESSION_FACES = 150
REGRESSION_CANDIDATES = 400
SUM_TO_ONE_WEIGHT = 50.0


def rigid_fit(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"], weight: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]:
    """Rotation and translation that take weighted points onto others in least squares (Kabsch)."""
    weight = weight / weight.sum()
    mean_source, mean_target = weight @ source, weight @ target
    covariance = ((source - mean_source) * weight[:, None]).T @ (target - mean_target)
    u, _, vt = np.linalg.svd(covariance)
    rotation = vt.T @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ u.T
    return rotation, mean_target - rotation @ mean_source


def jaw_hinge(
    mesh: HeadMesh, mean: Float[np.ndarray, "s 3"], jaw_open: Float[np.ndarray, "s 3"]
) -> tuple[Float[np.ndarray, " 3"], float]:
    """Where the jaw turns, and by how much in the artist's open mouth: the lower teeth move rigidly."""
    teeth = mesh.part_vertices("teeth_lo")
    rotation, shift = rigid_fit(mean[teeth], mean[teeth] + jaw_open[teeth], np.ones(len(teeth)))
    angle = float(np.linalg.norm(Rotation.from_matrix(rotation).as_rotvec()))
    fixed = np.linalg.lstsq((np.eye(3) - rotation)[1:, 1:], shift[1:], rcond=None)[0]
    logger.info("jaw: hinge at y %.4f z %.4f m, artist's opening %.3f rad", *fixed, angle)
    return np.array([0.0, *fixed]), angle


def regress_joints(
    mesh: HeadMesh, samples: Float[np.ndarray, "n s 3"], hinge: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "5 v"]:
    """Non-negative weights of few vertices that follow the joints over random faces."""
    cubes = mesh.joints(samples)
    jaw = cubes[:, 2] + (hinge - cubes[:, 2].mean(axis=0))
    neck = (1 - NECK_BETWEEN) * cubes[:, 0] + NECK_BETWEEN * cubes[:, 1]
    root = cubes[:, 0] - [0, ROOT_BELOW_NECK, 0]
    targets = np.stack([root, neck, jaw, cubes[:, 3], cubes[:, 4]], axis=1)
    faces = samples[:, : mesh.n_vertices]
    template = faces.mean(axis=0)
    regressor = np.zeros((N_JOINTS, mesh.n_vertices))
    for joint in Joint:
        candidates = _candidates(mesh, template, targets[:, joint].mean(axis=0), joint)
        system = faces[:REGRESSION_FACES, candidates].transpose(0, 2, 1).reshape(-1, len(candidates))
        system = np.vstack([system, SUM_TO_ONE_WEIGHT * np.ones(len(candidates))])
        right = np.append(targets[:REGRESSION_FACES, joint].ravel(), SUM_TO_ONE_WEIGHT)
        weights, _ = nnls(system, right, maxiter=20000)
        regressor[joint, candidates] = weights / weights.sum()
        found = np.einsum("v,nvk->nk", regressor[joint], faces[-300:])
        error = np.linalg.norm(found - targets[-300:, joint], axis=1).mean()
        logger.info("joint %s: mean error %.2f mm", joint.name.lower(), 1e3 * error)
    return regressor


def _candidates(
    mesh: HeadMesh, template: Float[np.ndarray, "v 3"], place: Float[np.ndarray, " 3"], joint: Joint
) -> Int[np.ndarray, " c"]:
    """Vertices that a joint near a place may be regressed from."""
    eyes = {Joint.LEFT_EYE: "eye_l", Joint.RIGHT_EYE: "eye_r"}
    if joint in eyes:
        return mesh.part_vertices(eyes[joint])
    skin = mesh.part_vertices("skin")
    distance = np.linalg.norm(template[skin] - place, axis=1)
    return skin[np.argsort(distance)[:REGRESSION_CANDIDATES]]


def corrective(
    mesh: HeadMesh,
    template: Float[np.ndarray, "v 3"],
    joints: Float[np.ndarray, "5 3"],
    joint: Joint,
    rotation: Float[np.ndarray, "3 3"],
    offset: Float[np.ndarray, "v 3"],
) -> Float[np.ndarray, "v 3"]:
    """Rest-pose offset c with skinning(template + c) = template + offset when one joint rotates."""
    rotations, shifts = np.tile(np.eye(3), (N_JOINTS, 1, 1)), np.zeros((N_JOINTS, 3))
    rotations[joint], shifts[joint] = rotation, joints[joint] - rotation @ joints[joint]
    blended = np.einsum("vj,jab->vab", mesh.weights, rotations)
    target = template + offset - mesh.weights @ shifts
    return np.linalg.solve(blended, target[..., None])[..., 0] - template


def jaw_correctives(
    mesh: HeadMesh,
    template: Float[np.ndarray, "v 3"],
    joints: Float[np.ndarray, "5 3"],
    jaw_open: Float[np.ndarray, "v 3"],
    angle: float,
) -> Float[np.ndarray, "v 3 36"]:
    """The rest of the artist's open mouth, linear in the sine of the jaw's angle about x."""
    rotation = Rotation.from_rotvec([angle, 0, 0]).as_matrix()
    offset = corrective(mesh, template, joints, Joint.JAW, rotation, jaw_open)
    for part in MOUTH_PARTS:
        offset[mesh.part_vertices(part)] = 0
    return _linear_in_sine(offset / np.sin(angle), Joint.JAW, axis=0)


def gaze_correctives(
    mesh: HeadMesh,
    template: Float[np.ndarray, "v 3"],
    joints: Float[np.ndarray, "5 3"],
    part: str,
    looks: dict[str, Float[np.ndarray, "v 3"]],
) -> Float[np.ndarray, "v 3 36"]:
    """How the lids follow an eye: from looks up and down, in and out, linear in the sines."""
    joint = Joint.LEFT_EYE if part == "eye_l" else Joint.RIGHT_EYE
    eye = mesh.part_vertices(part)
    slopes = {}
    for way, offset in looks.items():
        rotation, _ = rigid_fit(template[eye], template[eye] + offset[eye], np.ones(len(eye)))
        change = corrective(mesh, template, joints, joint, rotation, offset)
        change[eye] = 0
        axis = 0 if way in ("Up", "Down") else 1
        slopes[way] = change / np.sin(Rotation.from_matrix(rotation).as_rotvec()[axis])
    vertical = _linear_in_sine((slopes["Up"] + slopes["Down"]) / 2, joint, axis=0)
    return vertical + _linear_in_sine((slopes["In"] + slopes["Out"]) / 2, joint, axis=1)


def _linear_in_sine(slope: Float[np.ndarray, "v 3"], joint: Joint, axis: int) -> Float[np.ndarray, "v 3 36"]:
    """Correctives that give slope * sin(angle) for a rotation of `joint` about one axis.

    The antisymmetric part of a rotation matrix about x is R[2,1] = -R[1,2] = sin(angle); cyclic.
    """
    posedirs = np.zeros((*slope.shape, POSE_FEATURE_SIZE))
    start = 9 * (joint - 1)
    row, column = (axis + 2) % 3, (axis + 1) % 3
    posedirs[..., start + 3 * row + column] = slope / 2
    posedirs[..., start + 3 * column + row] = -slope / 2
    return posedirs
