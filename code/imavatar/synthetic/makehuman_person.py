"""A person in MakeHuman's own space: a face that no basis holds, moved by all of its units.

The parametric head comes close to such a person, as it does to people, and no closer.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from imavatar.anatomy import MM_PER_METRE, N_EXPRESSION, N_SHAPE, N_SHAPE_COLUMNS
from imavatar.head.assets import N_BLENDSHAPES, HeadAssets
from imavatar.head.makehuman import METRES_PER_DECIMETRE
from imavatar.head.open_head_faces import FaceSpace, random_face
from imavatar.head.open_head_mesh import HeadMesh
from imavatar.head.open_head_rig import rigid_fit


@dataclass(frozen=True)
class HeadCoefficients:
    """What a head model makes of a face at rest and of each face unit.

    `shape` [s]; `expression_of_unit` [u, e]: coefficients of an expression are amplitudes times this matrix.
    """

    shape: Float[np.ndarray, " s"]
    expression_of_unit: Float[np.ndarray, "u e"]

    @property
    def n_expression(self) -> int:
        """Expression coefficients that are used."""
        return self.expression_of_unit.shape[1]

    def expression(self, amplitudes: Float[np.ndarray, "n u"]) -> Float[np.ndarray, "n e"]:
        """Expression coefficients of frames with these amplitudes of the units."""
        return amplitudes @ self.expression_of_unit


@dataclass(frozen=True)
class RawPerson:
    """A face and its units, in the layout of a head model: expression column k is unit k; there are no shape columns.

    Joints, weights and pose correctives are the open head's: what raw space adds is shape and expression.
    """

    head: HeadAssets
    unit_names: tuple[str, ...]

    @property
    def coefficients(self) -> HeadCoefficients:
        """Of `head`: its template as it is, and the amplitudes themselves."""
        return HeadCoefficients(np.zeros(0, dtype=np.float32), np.eye(len(self.unit_names)))

    @property
    def units(self) -> Float[np.ndarray, "u v 3"]:
        """Displacements of the vertices by each unit, metres."""
        columns = self.head.shapedirs[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + len(self.unit_names)]
        return np.moveaxis(columns, -1, 0)


def make_raw_person(
    open_head: HeadAssets,
    mesh: HeadMesh,
    space: FaceSpace,
    units: dict[str, Float[np.ndarray, "s 3"]],
    generator: np.random.Generator,
    years: float | None = None,
) -> RawPerson:
    """A random grown-up, brought into the open head's frame by the part of the head above the neck.

    Args:
        mesh: the open head on MakeHuman's base mesh.
        units: offsets of all face units, decimetres.
        years: as in `random_face`.
    """
    face = random_face(mesh, space, generator, years)[: mesh.n_vertices] * METRES_PER_DECIMETRE
    rotation, shift = rigid_fit(face, open_head.v_template.astype(np.float64), mesh.above_neck())
    columns = np.zeros((mesh.n_vertices, 3, N_BLENDSHAPES), dtype=np.float32)
    for k, offset in enumerate(units.values()):
        columns[..., N_SHAPE_COLUMNS + k] = METRES_PER_DECIMETRE * offset[: mesh.n_vertices] @ rotation.T
    template = (face @ rotation.T + shift).astype(np.float32)
    return RawPerson(replace(open_head, v_template=template, shapedirs=columns), tuple(units))


def closest_head(person: RawPerson, open_head: HeadAssets) -> HeadCoefficients:
    """The open head nearest to a person: least squares over the vertices at rest, and over each unit's offsets."""
    deviation = (person.head.v_template - open_head.v_template).astype(np.float64)
    shape = _solve(open_head.shapedirs[..., :N_SHAPE], deviation[..., None])[:, 0]
    return HeadCoefficients(shape, expression_of_units(person.units, open_head))


def expression_of_units(units: Float[np.ndarray, "u v 3"], open_head: HeadAssets) -> Float[np.ndarray, "u e"]:
    """Expression coefficients of the open head whose displacements are nearest to the units' (metres)."""
    basis = open_head.shapedirs[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + N_EXPRESSION]
    return _solve(basis, np.moveaxis(units, 0, -1)).T


def vertex_error(
    person: RawPerson, open_head: HeadAssets, closest: HeadCoefficients, amplitudes: Float[np.ndarray, "n u"]
) -> Float[np.ndarray, "n v"]:
    """Distances of the closest head's vertices from the person's, millimetres, joints at rest."""
    expression = open_head.shapedirs[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + N_EXPRESSION]
    at_rest = open_head.v_template + open_head.shapedirs[..., :N_SHAPE] @ closest.shape - person.head.v_template
    per_unit = np.einsum("vce,ue->uvc", expression, closest.expression_of_unit) - person.units.astype(np.float64)
    offset = at_rest + np.tensordot(amplitudes, per_unit, axes=1)
    return MM_PER_METRE * np.linalg.norm(offset, axis=-1)


def _solve(basis: Float[np.ndarray, "v 3 k"], target: Float[np.ndarray, "v 3 t"]) -> Float[np.ndarray, "k t"]:
    columns = basis.reshape(-1, basis.shape[-1]).astype(np.float64)
    return np.linalg.lstsq(columns, target.reshape(len(columns), -1).astype(np.float64), rcond=None)[0]
