"""How the open head lies on MakeHuman's base mesh: its texture coordinates, and the torso below its rim."""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int

from imavatar.errors import AssetError
from imavatar.head.makehuman import BODY_GROUP, METRES_PER_DECIMETRE, BaseMesh, MakeHuman
from imavatar.paths import command
from imavatar.synthetic.skin_material import FaceTextures

TEXTURE_SIZE = 1024
TORSO_HALF_WIDTH, TORSO_DEPTH = 0.28, 0.25
"""What is taken of the torso: metres to either side of the middle, and below the lowest vertex of the head's skin."""


@dataclass(frozen=True)
class Torso:
    """The body below a head's rim, metres in the frame of the head's template.

    `faces` continue the head's skin: they index the head's vertices followed by `vertices`.
    """

    vertices: Float[np.ndarray, "t 3"]
    faces: Int[np.ndarray, "f 3"]


def corner_uv(
    base: BaseMesh, vertex_ids: Int[np.ndarray, " v"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "f 3 2"]:
    """Texture coordinates of the corners of faces of the head's skin.

    Args:
        vertex_ids: vertex of the base mesh of each vertex of the head.
    """
    quads = base.quads[BODY_GROUP]
    table = {
        tuple(sorted(triangle)): row
        for row, quad in enumerate(quads[..., 0].tolist())
        for triangle in itertools.combinations(quad, 3)
    }
    triangles = vertex_ids[faces]
    try:
        rows = np.array([table[tuple(sorted(triangle))] for triangle in triangles.tolist()])
    except KeyError as error:
        raise AssetError(
            f"the head's faces do not belong to MakeHuman's base mesh (no face {error}); "
            f"build the open head anew with: {command('build_head')}"
        ) from error
    candidates = quads[rows]  # [f, 4, 2]
    corner = (candidates[:, None, :, 0] == triangles[:, :, None]).argmax(axis=2)  # [f, 3]
    return base.uv[np.take_along_axis(candidates[..., 1], corner, axis=1)]


def torso_below(base: BaseMesh, vertex_ids: Int[np.ndarray, " v"], template: Float[np.ndarray, "v 3"]) -> Torso:
    """The part of the body that continues a head downwards.

    The body is moved so that it meets the head's rim: each vertex by the mean shift of the rim's vertices, near ones
    counting most.
    """
    quads = base.quads[BODY_GROUP][..., 0]
    metres = base.vertices * METRES_PER_DECIMETRE
    head_index = np.full(len(metres), -1)
    head_index[vertex_ids] = np.arange(len(vertex_ids))
    body = np.unique(quads)
    on_head = body[head_index[body] >= 0]
    lowest = metres[on_head, 1].min()
    near = (np.abs(metres[quads][..., 0]) < TORSO_HALF_WIDTH) & (metres[quads][..., 1] > lowest - TORSO_DEPTH)
    outside = ~(head_index[quads] >= 0).all(axis=1)
    chosen = quads[near.all(axis=1) & outside]
    used = np.unique(chosen)
    rim = head_index[used[head_index[used] >= 0]]
    below = used[head_index[used] < 0]
    shift = template[rim] - metres[vertex_ids[rim]]
    distance = np.linalg.norm(metres[below][:, None] - metres[vertex_ids[rim]][None], axis=-1)
    weights = 1 / (distance**2 + 1e-8)
    weights /= weights.sum(axis=1, keepdims=True)
    number = head_index.copy()
    number[below] = len(template) + np.arange(len(below))
    triangles = np.concatenate([chosen[:, [0, 1, 2]], chosen[:, [0, 2, 3]]])
    return Torso(metres[below] + weights @ shift, number[triangles])


def face_textures(makehuman: MakeHuman) -> FaceTextures:
    """MakeHuman's masks of the parts of a face."""
    return FaceTextures(*(_read_mask(makehuman, name) for name in ("lips", "eyelids", "ears", "inside-mouth")))


def _read_mask(makehuman: MakeHuman, name: str) -> Float[np.ndarray, "h w"]:
    path = makehuman.texture(name)
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise AssetError(f"{path} is not a readable image; run: {command('fetch_assets')}")
    return cv2.resize(pixels, (TEXTURE_SIZE, TEXTURE_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
