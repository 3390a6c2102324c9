"""What of a canonical surface a recording's pictures show: below the head it goes on beyond their borders."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.rendering.avatar import Avatar
from imavatar.rendering.camera import project
from imavatar.types import PosedHead, View

CHUNK = 8192
LEAST_SHARE = 0.25
"""Of the frames, in which a point has to be inside the picture."""
MARGIN = 0.03
"""Of a picture's sides, by which a point may be outside: so that no edge shows in the pictures themselves."""

Shown = Callable[[Float[Tensor, "n 3"]], Bool[np.ndarray, " n"]]
"""Canonical points (model units) to whether they are shown."""


def shown_in_pictures(avatar: Avatar, frames: Sequence[PosedHead], view: View, below: float) -> Shown:
    """Tells points that are inside the pictures of at least LEAST_SHARE of the frames; what hides them does not count.

    Args:
        frames: each of one row.
        view: a camera a frame.
        below: height in the canonical head (y, model units) above which everything counts as shown.
    """

    @torch.no_grad()
    def shown(points: Float[Tensor, "n 3"]) -> Bool[np.ndarray, " n"]:
        count = torch.zeros(len(points), device=points.device)
        for k, posed in enumerate(frames):
            bound = avatar.for_frame(posed)
            x_d = torch.cat([bound(part) for part in points.split(CHUNK)])
            u, v = project(view.camera[k : k + 1].to(x_d.device), x_d[None])[0].unbind(dim=-1)
            inside_u = (u + 0.5 > -MARGIN * view.width) & (u + 0.5 < (1 + MARGIN) * view.width)
            count += inside_u & (v + 0.5 > -MARGIN * view.height) & (v + 0.5 < (1 + MARGIN) * view.height)
        kept = (count >= LEAST_SHARE * len(frames)) | (points[:, 1] > below)
        return kept.cpu().numpy()

    return shown


def without_hidden(
    vertices: Float[Tensor, "v 3"], faces: np.ndarray, shown: Shown | None
) -> tuple[Float[Tensor, "v 3"], np.ndarray]:
    """The faces all of whose corners are shown; all of them without `shown`."""
    return (vertices, faces) if shown is None else (vertices, faces[shown(vertices)[faces].all(axis=1)])
