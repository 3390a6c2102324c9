"""Expression and pose of a test frame fitted to its picture before it is scored, the avatar as it is.

Several methods do this before they publish numbers, which makes these incomparable with those of methods that do not.
"""

from collections.abc import Callable

import torch

from imavatar import losses
from imavatar.data.dataset import Frame
from imavatar.data.sampling import sample_pixels
from imavatar.rendering.camera import cast_rays
from imavatar.rendering.character import Character
from imavatar.types import Batch, HeadParameters, PosedHead

STEPS = 40
RAYS = 1024
EXPRESSION_RATE, POSE_RATE = 2e-2, 5e-3
FINAL_RATE = 0.1
MASK_WEIGHT, ALPHA = 100.0, 400.0
"""Of the mask loss; a smaller alpha draws silhouettes inwards, away from the right parameters."""
PRIOR_WEIGHT = 1e-3
"""On squared differences of the expression from the frame's own: what the picture does not show stays as it was."""


def fitted_poses(character: Character, seed: int) -> Callable[[Frame], PosedHead]:
    """Poses frames with the parameters that are fitted to their pictures, one after the other."""
    generator = torch.Generator().manual_seed(seed)
    return lambda frame: character.pose(fit_frame(character, frame, generator))


@torch.enable_grad()
def fit_frame(character: Character, frame: Frame, generator: torch.Generator) -> HeadParameters:
    """The parameters under which the avatar looks most like a frame: colours and mask, from the frame's own on.

    The avatar's weights do not change. The frame has a picture; the generator chooses the rays.
    """
    device, avatar = character.device, character.avatar
    start = (frame.head.expression, frame.head.pose)
    expression, pose = (value.clone().to(device).requires_grad_() for value in start)
    optimiser = torch.optim.Adam([{"params": [expression]}, {"params": [pose]}])
    batch = _batch(frame, device, generator)
    frozen = [p for p in avatar.parameters() if p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        for step in range(STEPS):
            for group, rate in zip(optimiser.param_groups, (EXPRESSION_RATE, POSE_RATE), strict=True):
                group["lr"] = rate * FINAL_RATE ** (step / STEPS)
            optimiser.zero_grad(set_to_none=True)
            loss = _difference(character, batch, HeadParameters(expression, pose))
            loss = loss + PRIOR_WEIGHT * (expression - start[0].to(device)).square().sum()
            if not torch.isfinite(loss) or not loss.requires_grad:
                break
            loss.backward()
            optimiser.step()
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    return HeadParameters(expression.detach(), pose.detach())


def _batch(frame: Frame, device: torch.device, generator: torch.Generator) -> Batch:
    """Rays of the frame, the same for all steps: the difference is then a function of the parameters alone."""
    height, width = frame.foreground.shape
    pixels = sample_pixels(RAYS, height, width, frame.bbox, generator)
    u, v = pixels.unbind(dim=1)
    batch = Batch(
        frame=torch.zeros(1, dtype=torch.long),
        camera=frame.camera,
        head=frame.head,
        pixels=pixels.float(),
        rays_frame=torch.zeros(len(pixels), dtype=torch.long),
        rgb=frame.image[v, u],
        foreground=frame.foreground[v, u],
        semantics=None,
    )
    return batch.to(device)


def _difference(character: Character, batch: Batch, head: HeadParameters) -> torch.Tensor:
    avatar, posed = character.avatar, character.pose(head)
    rays = cast_rays(batch.camera, batch.pixels, batch.rays_frame)
    hits = avatar.find_surface(rays.detach(), posed.detach(), batch.foreground)
    render = avatar.shade(rays, posed, hits, hits.hit & batch.foreground)
    return losses.rgb_loss(render, batch) + MASK_WEIGHT * losses.mask_loss(render, batch, ALPHA)
