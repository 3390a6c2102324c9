"""Teeth and tongue stay behind the skin, however strong an expression is."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from trimesh.triangles import closest_point

from imavatar.anatomy import ParsingLabel
from imavatar.head.assets import HeadAssets
from imavatar.numerics.mesh import face_normals
from imavatar.numerics.mesh_bvh import signed_distance
from imavatar.synthetic.mesh_tools import unit

THICKNESS = 0.0015
"""Metres of skin that nothing comes nearer to than to its outside."""
REACH = 0.02
"""Metres: what is farther outside has not come through there."""
ROUNDS = 3
"""Where skin is creased, one face's plane may push a point through another's."""


def outer_skin(
    head: HeadAssets, faces: Int[np.ndarray, "f 3"], labels: Int[np.ndarray, " v"]
) -> Int[np.ndarray, "k 3"]:
    """Faces of the skin without those inside the mouth and on the lips, between which teeth are seen."""
    inside: Bool[np.ndarray, " v"] = head.regions.get("inner_mouth", np.zeros(len(head.v_template))) > 0.02
    open_to_it = inside | np.isin(labels, (ParsingLabel.UPPER_LIP, ParsingLabel.LOWER_LIP, ParsingLabel.MOUTH_INTERIOR))
    return faces[~open_to_it[faces].any(axis=1)]


def push_inside(
    points: Float[np.ndarray, "n 3"],
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    unit_length: float,
) -> Float[np.ndarray, "n 3"]:
    """Points of which none is outside the faces, or less than THICKNESS inside, where it is within REACH of them.

    Args:
        unit_length: of the points and vertices, a metre in them.
    """
    corners = vertices[faces]
    normals = unit(face_normals(vertices, faces))
    mesh = torch.as_tensor(vertices), torch.as_tensor(faces)
    points = points.copy()
    for _ in range(ROUNDS):
        nearest = signed_distance(*mesh, torch.as_tensor(points))[1].numpy()
        offset = points - closest_point(corners[nearest], points)
        height = (offset * normals[nearest]).sum(axis=1)
        push = np.maximum(height + THICKNESS * unit_length, 0)
        push[np.linalg.norm(offset, axis=1) > REACH * unit_length] = 0
        points -= push[:, None] * normals[nearest]
    return points
