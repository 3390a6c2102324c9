"""Which part of MakeHuman's base mesh is the open head, and how its vertices are bound to five joints."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from imavatar.anatomy import N_JOINTS, Joint
from imavatar.head.makehuman import BODY_GROUP, PART_GROUPS, BaseMesh, MakeHuman, read_target

N_RINGS = 6
"""Rings of quads grown from the head's and neck's vertices: a cut by a plane leaves a ragged rim,
this leaves one clean loop."""

JOINT_CUBES = ("joint-neck", "joint-head", "joint-mouth", "joint-l-eye", "joint-r-eye")
"""Helper cubes of the base mesh that follow every target: the skeleton of any face."""

RIGID_PARTS = {
    "eye_l": Joint.LEFT_EYE,
    "eye_r": Joint.RIGHT_EYE,
    "teeth_up": Joint.NECK,
    "teeth_lo": Joint.JAW,
    "tongue": Joint.JAW,
}

BONE_JOINTS = {
    "eye.L": {Joint.LEFT_EYE: 1.0},
    "eye.R": {Joint.RIGHT_EYE: 1.0},
    "jaw": {Joint.JAW: 1.0},
    "head": {Joint.NECK: 1.0},
    "neck03": {Joint.NECK: 1.0},
    "neck02": {Joint.NECK: 0.67, Joint.GLOBAL: 0.33},
    "neck01": {Joint.NECK: 0.33, Joint.GLOBAL: 0.67},
}
"""Bones of the standard rig that end the climb towards the root, and the joints they stand for."""


@dataclass(frozen=True)
class HeadMesh:
    """The cut-out head. `source` are base-mesh vertices, then those of the joint cubes (8 each).

    All offsets that are read for it have one row per entry of `source`; the first `n_vertices`
    rows are the head's.
    """

    source: Int[np.ndarray, " s"]
    n_vertices: int
    base: Float[np.ndarray, "s 3"]
    faces: Int[np.ndarray, "f 3"]
    face_part: Int[np.ndarray, " f"]
    part_names: tuple[str, ...]
    weights: Float[np.ndarray, "v 5"]
    vertex_uv: Float[np.ndarray, "v 2"]

    def offsets(self, path: Path) -> Float[np.ndarray, "s 3"]:
        """A morph target, dense, in decimetres."""
        index, offset = read_target(path)
        dense = np.zeros((int(self.source.max()) + 1, 3))
        inside = index < len(dense)
        dense[index[inside]] = offset[inside]
        return dense[self.source]

    def joints(self, vertices: Float[np.ndarray, "*b s 3"]) -> Float[np.ndarray, "*b 5 3"]:
        """Centres of the joint cubes: neck, head, mouth, left eye, right eye."""
        cubes = vertices[..., self.n_vertices :, :]
        return cubes.reshape(*cubes.shape[:-2], len(JOINT_CUBES), -1, 3).mean(axis=-2)

    def above_neck(self) -> Float[np.ndarray, " v"]:
        """How much each vertex belongs to the head above the base of the neck, by which faces are aligned."""
        inside = self.base[: self.n_vertices, 1] > self.joints(self.base)[0, 1]
        return self.weights[:, Joint.NECK : Joint.JAW + 1].sum(axis=1) * inside

    def part_vertices(self, part: str) -> Int[np.ndarray, " k"]:
        """Vertices of a part."""
        return np.unique(self.faces[self.face_part == self.part_names.index(part)])


def cut_head(makehuman: MakeHuman) -> HeadMesh:
    """The head with eyes, teeth and tongue."""
    mesh = makehuman.base_mesh()
    weights = joint_weights(makehuman, mesh)
    skin = _grow(mesh.quads[BODY_GROUP], weights[:, Joint.NECK :].sum(axis=1) > 0.5)
    parts = {"skin": skin, **{part: mesh.quads[group] for part, group in PART_GROUPS.items()}}
    corners = np.concatenate(list(parts.values()))
    part = np.tile(np.repeat(np.arange(len(parts)), [len(quads) for quads in parts.values()]), 2)
    triangles = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    proper = triangles[:, 2, 0] != triangles[:, 1, 0]
    used, number = np.unique(triangles[proper, :, 0], return_inverse=True)
    uv = np.zeros((len(used), 2))
    uv[number.ravel()] = mesh.uv[triangles[proper, :, 1].ravel()]
    cubes = np.concatenate([mesh.group_vertices(cube) for cube in JOINT_CUBES])
    source = np.concatenate([used, cubes])
    return HeadMesh(
        source=source,
        n_vertices=len(used),
        base=mesh.vertices[source],
        faces=number.reshape(-1, 3),
        face_part=part[proper],
        part_names=tuple(parts),
        weights=weights[used],
        vertex_uv=uv,
    )


def joint_weights(makehuman: MakeHuman, mesh: BaseMesh) -> Float[np.ndarray, "v 5"]:
    """Skinning weights of the whole base mesh, its many bones collapsed onto five joints."""
    parents = makehuman.rig_parents()
    weights = np.zeros((len(mesh.vertices), N_JOINTS))
    for bone, rows in makehuman.rig_weights().items():
        if bone not in parents or len(rows) == 0:
            continue
        for joint, share in _joints_of_bone(bone, parents).items():
            np.add.at(weights[:, joint], rows[:, 0].astype(int), share * rows[:, 1])
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    weights[total[:, 0] == 0, Joint.GLOBAL] = 1.0
    for part, joint in RIGID_PARTS.items():
        weights[mesh.group_vertices(PART_GROUPS[part])] = np.eye(N_JOINTS)[joint]
    return weights


def _joints_of_bone(bone: str | None, parents: dict[str, str | None]) -> dict[Joint, float]:
    while bone and bone not in BONE_JOINTS:
        bone = parents[bone]
    return BONE_JOINTS[bone] if bone else {Joint.GLOBAL: 1.0}


def _grow(quads: Int[np.ndarray, "q 4 2"], seed: Bool[np.ndarray, " v"]):
    """Quads of the seed's vertices and `N_RINGS` rings around them."""
    corners = quads[..., 0]
    edges = np.concatenate([corners[:, [i, (i + 1) % 4]] for i in range(4)])
    inside = seed.copy()
    for _ in range(N_RINGS):
        grown = inside.copy()
        grown[edges[inside[edges[:, 0]], 1]] = True
        grown[edges[inside[edges[:, 1]], 0]] = True
        inside = grown
    return quads[inside[corners].all(axis=1)]
