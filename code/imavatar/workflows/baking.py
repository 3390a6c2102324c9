"""A trained avatar as a mesh that moves as it does."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import Joint
from imavatar.baking.bake import bake_avatar, bake_mesh, mean_colours
from imavatar.baking.baked import BakedAvatar
from imavatar.baking.shown import Shown, shown_in_pictures
from imavatar.baking.texture import unwrap, with_texture
from imavatar.baselines.names import IMAVATAR
from imavatar.errors import ConfigError
from imavatar.types import PosedHead, View
from imavatar.workflows.trained import TrainedAvatar

logger = logging.getLogger(__name__)

TRIM_FRAMES = 16
"""Training frames by which the bust is trimmed."""
MESH_RESOLUTION = 256
MESH_FACES = 30000


def check_bakeable(trained: TrainedAvatar) -> None:
    """See that the run's method has fields to bake.

    Raises:
        ConfigError: it has none.
    """
    method = trained.config.model.method
    if method != IMAVATAR:
        raise ConfigError(
            f"{trained.folder.config}: model.method is {method!r}, expected {IMAVATAR!r}: only its surface moves by "
            "blendshapes and skinning, which is what meshes of viewers do"
        )


def bake(
    trained: TrainedAvatar,
    *,
    resolution: int = MESH_RESOLUTION,
    faces: int = MESH_FACES,
    average: int = 0,
    texture: int = 0,
    trim: bool = False,
) -> BakedAvatar:
    """The avatar as a skinned mesh with blendshapes, in metres; logs what the mesh is made of.

    Args:
        resolution: cells along the surface's longest side.
        faces: of the mesh at most.
        average: colours are the mean over so many training frames; 0: those of the person at rest.
        texture: side of the texture, pixels; 0: colours of vertices.
        trim: cut the bust off where the training's pictures end, which leaves an open edge.

    Raises:
        ConfigError: the run's method has no fields to bake.
        ImavatarError: a library of the extra `export` is missing.
    """
    check_bakeable(trained)
    frames = colour_frames(trained, average)
    shown = shown_in_training(trained) if trim else None
    bound = trained.config.model.ray_tracer.object_bounding_sphere
    avatar = trained.character.avatar
    mesh = bake_mesh(avatar, frames[0], resolution=resolution, n_faces=faces, bound=bound, shown=shown)
    logger.info("%s", mesh.describe())
    baked = bake_avatar(trained.character, mesh.vertices, mesh.faces, frames)
    return baked if texture == 0 else _textured(trained, baked, frames, texture)


def colour_frames(trained: TrainedAvatar, n_average: int = 0) -> list[PosedHead]:
    """The person at rest, or some of the training frames, posed; a row each."""
    if n_average == 0:
        return [trained.pose(trained.neutral())]
    dataset = trained.dataset("train")
    return [trained.pose(dataset.head([row])) for row in evenly(len(dataset), n_average)]


def evenly(n: int, count: int) -> list[int]:
    """So many of n rows, evenly."""
    count = min(n, count)
    return [k * n // count for k in range(count)]


def shown_in_training(trained: TrainedAvatar) -> Shown:
    """What of the surface the training's pictures have room for; see `shown_in_pictures`."""
    dataset, flame = trained.dataset("train"), trained.character.flame
    rows = evenly(len(dataset), TRIM_FRAMES)
    frames = [trained.pose(dataset.head([row])) for row in rows]
    below = float((flame.J_regressor @ flame.v_template)[Joint.JAW, 1])
    view = View(dataset.camera(rows), dataset.height, dataset.width)
    return shown_in_pictures(trained.character.avatar, frames, view, below)


def _textured(trained: TrainedAvatar, baked: BakedAvatar, frames: Sequence[PosedHead], size: int) -> BakedAvatar:
    """The mesh cut along seams, with a texture of the mean colours over frames."""

    def paint(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        x_c = torch.as_tensor(points).to(trained.character.flame.v_template)
        return mean_colours(trained.character.avatar, x_c, frames)

    return with_texture(baked, unwrap(baked.canonical, baked.faces, size), paint, size)
