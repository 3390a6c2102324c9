"""Strands of hair on a synthetic head: curves that grow from the scalp and follow it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from imavatar.numerics.mesh import face_normals, vertex_normals
from imavatar.synthetic.clothing import PARTING, Shell
from imavatar.synthetic.mesh_tools import FineMesh, unit, value_noise
from imavatar.synthetic.skin_material import SkinPaint

LENGTH = 0.022
"""Of a strand, metres, at the middle of the head; shorter towards the neck."""
LONG_LENGTH = 0.13
STEEP, FRINGE = 0.4, 0.02
"""Hair hangs where the scalp's normal is at most so far from level, and as far forward in paint space."""
BEARD_LENGTH, BEARD_LIFT, BEARD_BORDER = 0.009, 0.25, 0.5
RADIUS = 0.0004
N_POINTS = 6
TONES = (0.55, 0.85, 1.2, 1.7)
"""Strands have one of these brightnesses."""
MIN_THICKNESS = 0.002
"""Of the hair, metres, where strands grow."""


@dataclass(frozen=True)
class Strands:
    """Curves over a fine mesh of the skin: the face that each grows from, and its control points in that face's frame.

    `points` are along the face's first edge, its other in-plane axis and its normal, metres from the root.
    """

    mesh: FineMesh
    face: Int[np.ndarray, " n"]
    root: Float[np.ndarray, "n 3"]
    points: Float[np.ndarray, "n k 3"]
    tone: Int[np.ndarray, " n"]

    def posed(self, vertices: Float[np.ndarray, "v 3"], scale: float) -> Float[np.ndarray, "n k 3"]:
        """Control points over posed skin; `scale` is the length of a metre in its units."""
        fine = self.mesh.interpolate(vertices)
        corners = fine[self.mesh.faces[self.face]]
        origin = np.einsum("nk,nkc->nc", self.root, corners)
        return origin[:, None] + scale * np.einsum("nac,npa->npc", _frames(corners), self.points)


def grow_strands(
    shell: Shell,
    vertices: Float[np.ndarray, "v 3"],
    place: Float[np.ndarray, "m 3"],
    n: int,
    seed: int,
    *,
    long: bool = False,
) -> Strands:
    """Strands all over the hair of a head at rest.

    Args:
        vertices: of the coarse mesh of the skin, metres.
        place: of the shell's vertices in paint space.
        long: it hangs to the shoulders at the sides and the back.
    """
    generator = np.random.default_rng([seed, 7])
    covered = shell.offset[shell.mesh.faces].min(axis=1) > MIN_THICKNESS

    def curves(face, root, at, normal):
        thickness = np.einsum("nk,nk->n", root, shell.offset[shell.mesh.faces[face]])
        return _curves(at, normal, thickness, seed, generator, long=long)

    return _grow(shell.mesh, vertices, place, covered, n, generator, curves)


def grow_beard(
    skin: FineMesh, vertices: Float[np.ndarray, "v 3"], place: Float[np.ndarray, "m 3"], paint: SkinPaint, n: int
) -> Strands:
    """Strands where a beard grows, down and a little away from the skin."""
    generator = np.random.default_rng([paint.seed, 8])
    grows = paint.beard(place)[skin.faces].min(axis=1) > BEARD_BORDER

    def curves(face, root, at, normal):
        flow = np.array([0, -1.0, 0.15]) + generator.normal(0, 0.35, (n, 3))
        flow = unit(flow - 0.8 * np.sum(flow * normal, axis=1, keepdims=True) * normal)
        length = BEARD_LENGTH * generator.uniform(0.5, 1.2, n)[:, None, None]
        along = np.linspace(-0.1, 1, N_POINTS)[None, :, None]
        return length * along * (flow + BEARD_LIFT * normal)[:, None]

    return _grow(skin, vertices, place, grows, n, generator, curves)


def _grow(
    mesh: FineMesh,
    vertices: Float[np.ndarray, "v 3"],
    place: Float[np.ndarray, "m 3"],
    grows: Bool[np.ndarray, " f"],
    n: int,
    generator: np.random.Generator,
    curves: Callable[..., Float[np.ndarray, "n k 3"]],
) -> Strands:
    """Strands from random points of some faces; `curves(face, root, place, normal)` gives points from the roots."""
    fine = mesh.interpolate(vertices)
    corners = fine[mesh.faces]
    area = np.linalg.norm(face_normals(fine, mesh.faces), axis=1)
    face = generator.choice(len(mesh.faces), n, p=area * grows / (area * grows).sum())
    root = generator.dirichlet([1, 1, 1], n)
    at = np.einsum("nk,nkc->nc", root, place[mesh.faces[face]])
    normal = unit(np.einsum("nk,nkc->nc", root, vertex_normals(fine, mesh.faces)[mesh.faces[face]]))
    local = np.einsum("nac,npc->npa", _frames(corners[face]), curves(face, root, at, normal))
    return Strands(mesh, face, root, local, generator.integers(len(TONES), size=n))


def _frames(corners: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Rows: the first edge's direction, the other direction in the plane, the normal."""
    first = unit(corners[:, 1] - corners[:, 0])
    normal = unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    return np.stack([first, np.cross(normal, first), normal], axis=1)


def _curves(
    place: Float[np.ndarray, "n 3"],
    normal: Float[np.ndarray, "n 3"],
    thickness: Float[np.ndarray, " n"],
    seed: int,
    generator: np.random.Generator,
    *,
    long: bool,
) -> Float[np.ndarray, "n k 3"]:
    """Control points relative to the roots: out of the skin, then along the hair's flow, and down onto it."""
    n = len(place)
    top = np.clip((place[:, 1] - 0.05) / 0.06, 0, 1)[:, None]
    side = np.sign(place[:, :1] - PARTING)
    flow = top * (side * [0.9, 0, 0] + [0, 0, -0.5]) + (1 - top) * np.array([0, -1.0, -0.45])
    locks = np.stack([value_noise(place, seed + 50 + axis, 60) for axis in range(3)], axis=-1)
    flow = flow + 0.4 * locks + generator.normal(0, 0.15, (n, 3))
    flow = unit(flow - np.sum(flow * normal, axis=1, keepdims=True) * normal)
    height = np.clip((place[:, 1] + 0.03) / 0.09, 0, 1)
    length = LENGTH * (0.35 + 0.65 * height) * generator.uniform(0.75, 1.25, n)
    if long:
        # Where the scalp is steep, so that what hangs straight down stays off it, and not over the face.
        hangs = (np.abs(normal[:, 1]) < STEEP) & (place[:, 2] < FRINGE)
        length = np.where(hangs, LONG_LENGTH * generator.uniform(0.8, 1.1, n), 1.5 * length)
    # Rises to about the hair's thickness within the first third, and stays there.
    rise = thickness * generator.uniform(0.7, 1.15, n)
    along = np.linspace(-0.08, 1, N_POINTS)
    lift = np.sin(np.pi * np.clip(1.2 * along, -0.1, 0.62))
    return (
        along[None, :, None] * (length[:, None] * flow)[:, None]
        + (lift[None] * rise[:, None])[..., None] * normal[:, None]
    )
