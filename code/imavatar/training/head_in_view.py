"""Whether the head is in the pictures at all, before hours of training find out."""

import logging
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.data.dataset import FaceDataset
from imavatar.errors import DataError
from imavatar.head.flame import Flame
from imavatar.rendering.camera import project, view_depth
from imavatar.types import Camera

logger = logging.getLogger(__name__)

FRAMES_AT_ONCE = 64
LEAST_VISIBLE = 0.1
"""Of the head's vertices: with fewer in the picture a frame shows no head."""
NAMED = 3


@torch.no_grad()
def check_heads(flame: Flame, dataset: FaceDataset) -> None:
    """Warn of frames whose head, as tracked, is behind the camera or outside the image.

    Raises:
        DataError: it is so in half of the frames or more.
    """
    device = flame.v_template.device
    head, camera = dataset.head().to(device), dataset.camera().to(device)
    parts = [
        out_of_sight(camera[rows], flame.vertices(head[rows]), dataset.height, dataset.width)
        for rows in torch.arange(len(dataset), device=device).split(FRAMES_AT_ONCE)
    ]
    behind, outside = (torch.cat(part) for part in zip(*parts, strict=True))
    unseen = behind | outside
    if not bool(unseen.any()):
        return
    kinds = (("behind the camera", behind), ("outside the image", outside))
    named = "; ".join(_named(what, rows, dataset.names) for what, rows in kinds if bool(rows.any()))
    found = f"the head, as tracked, is not in the picture in {int(unseen.sum())} of {len(dataset)} frames: {named}"
    if 2 * int(unseen.sum()) < len(dataset):
        logger.warning("%s", found)
        return
    raise DataError(
        f"{found}. Check world_mat (world to camera, 1 unit is 250 mm; the camera looks along -z, y is up) and "
        "intrinsics (in units of the image, the first one negative) in the JSON file of the frames; "
        "scripts/check_data.py draws them and tells mistaken conventions"
    )


def out_of_sight(
    camera: Camera, vertices: Float[Tensor, "b v 3"], height: int, width: int
) -> tuple[Bool[Tensor, " b"], Bool[Tensor, " b"]]:
    """Whether most vertices (world space) are behind the camera; else whether almost all are outside the image."""
    before = view_depth(camera, vertices) > 0
    u, v = project(camera, vertices).unbind(dim=-1)
    inside = before & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    behind = before.float().mean(dim=1) < 0.5
    return behind, ~behind & (inside.float().mean(dim=1) < LEAST_VISIBLE)


def _named(what: str, rows: Bool[Tensor, " n"], names: Sequence[str]) -> str:
    found = [names[row] for row in rows.nonzero()[:, 0].tolist()]
    return f"{what} in {', '.join(found[:NAMED])}{', …' if len(found) > NAMED else ''}"
