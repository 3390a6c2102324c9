"""How far hair and clothes stand off the fitted head, measured where they meet the masks' contours.

A head model is bald. Masks say how much is missing, but only at the contours of the recorded views, and the even colour
of hair says nothing in between: trained from a bald head, hair becomes a ridge at these contours, which is wrong in any
other view. Here the thickness measured at contours is spread over the whole of what is covered, and falls to zero where
bare skin is seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve
from torch import Tensor

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import Frame
from imavatar.head.flame import Flame
from imavatar.numerics.mesh import vertex_normals
from imavatar.rendering.camera import project

MAX_OFFSET = 0.4
"""Model units (10 cm); what lies farther off is not part of the head."""
STEP = 0.005
FACES_CAMERA, AT_CONTOUR = 0.4, 0.35
"""Cosines between normal and line of sight: above the first a vertex is seen, below the second it is at a contour."""

BARE_WEIGHT, SMOOTHNESS, SHRINKAGE = 10.0, 2.0, 1e-3
"""Against a weight of one for each vertex whose thickness is measured."""
DIRECTION_SMOOTHNESS = 30.0


@dataclass(frozen=True)
class VertexObservations:
    """What frames say of each vertex.

    `bare` counts frames that show skin there, `covered` those that show hair or cloth. `thickness` is the median
    distance to the contour, model units, NaN where no frame has the vertex at a covered contour.
    """

    bare: Float[np.ndarray, " v"]
    covered: Float[np.ndarray, " v"]
    thickness: Float[np.ndarray, " v"]


@torch.no_grad()
def offset_head_by_masks(flame: Flame, frames: Iterable[Frame]) -> Float[Tensor, "v 3"]:
    """The canonical head's vertices moved outwards along their normals by the thickness of what covers them.

    Frames have masks and semantics; a few dozen that differ in pose are enough.
    """
    vertices, faces = flame.canonical_vertices, flame.faces_tensor
    corners = faces.cpu().numpy()
    thickness = spread_thickness(observe_vertices(flame, frames), corners)
    outwards = _smooth_directions(_normals(vertices, faces).cpu().double().numpy(), corners)
    return vertices + torch.as_tensor(thickness[:, None] * outwards).to(vertices)


def observe_vertices(flame: Flame, frames: Iterable[Frame]) -> VertexObservations:
    """Labels of the vertices that face the camera, and distances to the contour of those at it.

    A vertex outside the image counts as bare: what no frame shows stays where the head model has it.
    """
    bare, covered, measured = 0.0, 0.0, []
    for frame in frames:
        points = _view(flame, frame)
        labels = _sample(frame.semantics, points.pixels)
        cover = labels[:, [SemanticClass.HAIR, SemanticClass.CLOTH]].sum(axis=1)
        background = labels[:, SemanticClass.BACKGROUND]
        seen = points.facing > FACES_CAMERA
        bare = bare + seen * (cover + background < 0.5)
        covered = covered + seen * (cover > 0.5)
        at_contour = (np.abs(points.facing) < AT_CONTOUR) & (cover + background > 0.5)
        measured.append(np.where(at_contour, _distance_to_contour(frame.foreground.numpy(), points), np.nan))
    return VertexObservations(bare, covered, _median(np.stack(measured)))


def spread_thickness(observations: VertexObservations, faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, " v"]:
    """A smooth thickness over a mesh that follows what was measured and is zero where bare skin was seen.

    Hair has its full thickness close to the hairline. The smoothest surface between a hairline and a contour is a ramp,
    which is too thin wherever no contour was measured: what was measured is therefore carried up to the bare skin.
    """
    is_bare = observations.bare > observations.covered
    known = ~np.isnan(observations.thickness) & ~is_bare
    laplacian = _laplacian(faces, len(known))
    measured = np.where(known, observations.thickness, 0.0)
    ramp, full = (
        np.clip(spsolve((diags_array(weight) + SMOOTHNESS * laplacian).tocsc(), measured), 0.0, MAX_OFFSET)
        for weight in (known + BARE_WEIGHT * is_bare + SHRINKAGE, known + SHRINKAGE)
    )
    return np.where(is_bare, ramp, full)


def _smooth_directions(normals: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Unit normals without the relief of ears, along which an offset surface would cross itself."""
    system = diags_array(np.ones(len(normals))) + DIRECTION_SMOOTHNESS * _laplacian(faces, len(normals))
    smooth = spsolve(system.tocsc(), normals)
    return smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)


def _laplacian(faces: Int[np.ndarray, "f 3"], n: int):
    """Of the graph of a mesh's edges."""
    edges = np.unique(np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    links = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n)).tocsr()
    links = links + links.T
    return diags_array(links.sum(axis=1)) - links


@dataclass(frozen=True)
class _Points:
    """Vertices in an image, one step outwards along their normals, and these normals' cosines to the line of sight."""

    pixels: Float[np.ndarray, "v 2"]
    step: Float[np.ndarray, "v 2"]
    facing: Float[np.ndarray, " v"]


def _view(flame: Flame, frame: Frame) -> _Points:
    device = flame.v_template.device
    camera, head = frame.camera.to(device), frame.head.to(device)
    vertices = flame.vertices(head)[0]
    normals = _normals(vertices, flame.faces_tensor)
    sight = F.normalize(camera.world_from_camera[0, :3, 3] - vertices, dim=1)
    facing = (normals * sight).sum(dim=1)
    # Only what lies across the line of sight moves a point in the image.
    outwards = F.normalize(normals - facing[:, None] * sight, dim=1)
    pixels = project(camera, torch.stack([vertices, vertices + STEP * outwards]).flatten(0, 1)[None])[0]
    here, there = (part.cpu().double().numpy() for part in pixels.chunk(2))
    return _Points(here, there - here, facing.cpu().numpy())


def _distance_to_contour(foreground: Bool[np.ndarray, "h w"], points: _Points) -> Float[np.ndarray, " v"]:
    """Model units from each vertex outwards to where the person ends; NaN where the image or the reach ends before."""
    distance = np.full(len(points.pixels), np.nan)
    undecided = np.ones(len(points.pixels), dtype=bool)
    for k in range(round(MAX_OFFSET / STEP)):
        value = _sample(foreground.astype(np.float32)[..., None], points.pixels + k * points.step, outside=np.nan)[:, 0]
        undecided &= ~np.isnan(value)
        ended = undecided & (value < 0.5)
        distance[ended] = k * STEP
        undecided &= ~ended
    return distance


def _sample(values: np.ndarray | Tensor, pixels: Float[np.ndarray, "n 2"], outside: float = 0.0) -> np.ndarray:
    """Values [h, w, c] at the pixels nearest to points; a constant outside the image."""
    values = np.asarray(values)
    height, width = values.shape[:2]
    column, row = np.rint(pixels).astype(np.int64).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found = np.full((len(pixels), values.shape[2]), outside)
    found[inside] = values[row[inside], column[inside]]
    return found


def _median(values: Float[np.ndarray, "k v"]) -> Float[np.ndarray, " v"]:
    """Medians over frames of what is not NaN; NaN where nothing is."""
    result = np.full(values.shape[1], np.nan)
    some = ~np.isnan(values).all(axis=0)
    result[some] = np.nanmedian(values[:, some], axis=0)
    return result


def _normals(vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]) -> Float[Tensor, "v 3"]:
    return torch.as_tensor(vertex_normals(vertices.cpu().double().numpy(), faces.cpu().numpy())).to(vertices)
