"""Start from the fitted head instead of a sphere: the fields are regressed to the head's own."""

import logging
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.losses import head_fields_loss
from imavatar.progress import track
from imavatar.rendering.avatar import Avatar
from imavatar.training.head_samples import HeadSurface, sample_distances, sample_fields
from imavatar.types import DeformationFields, PosedHead

logger = logging.getLogger(__name__)

SDF_BATCH, SDF_RATE = 1536, 1e-3
FIELDS_BATCH, FIELDS_RATE = 512, 2e-3
BLENDSHAPES_RATE = 5e-5
"""Blendshapes are small numbers (a standard deviation moves a lip by hundredths of a unit): larger steps are noise."""
SOLVE_BATCH = 1024
"""Points that are looked up in one frame."""
RIDGE = 1e-5
FINAL_RATE = 0.05


def warm_start(
    avatar: Avatar,
    head: HeadSurface,
    frames: PosedHead,
    *,
    n_steps: int,
    bound: float,
    generator: torch.Generator,
    fields: bool = True,
) -> None:
    """Regress the signed distance to the head's mesh, in every frame, and the deformer to its vertices' fields.

    Args:
        frames: whose latent codes, expressions and poses networks that depend on them are taught with.
        n_steps: of each of the two regressions.
        bound: half the side of the cube in which distances are sampled, model units.
    """
    samples = sample_distances(head, bound, generator)

    def sdf_loss() -> Tensor:
        some = samples.draw(SDF_BATCH, generator)
        return (avatar.geometry.sdf(some.points, _any_of(frames, generator).latent) - some.distances).abs().mean()

    final = regress([(list(avatar.geometry.parameters()), SDF_RATE)], sdf_loss, n_steps, "signed distance")
    logger.info("warm start: signed distance, mean error %.4f", final)
    if fields:
        _start_fields(avatar, head, frames, n_steps, generator)


def _start_fields(
    avatar: Avatar, head: HeadSurface, frames: PosedHead, n_steps: int, generator: torch.Generator
) -> None:
    points, vertex = sample_fields(head.supervision, generator)
    known, deformer = head.supervision.fields, avatar.deformer

    def fields_loss() -> Tensor:
        rows = torch.randint(len(points), (FIELDS_BATCH,), generator=generator).to(points.device)
        target = known[vertex[rows]]
        features = avatar.features_near(points[rows], target, _any_of(frames, generator))
        return head_fields_loss(deformer.fields(*features), target)

    linear = [p for p in deformer.blendshapes.parameters() if p.requires_grad]
    others = [p for p in deformer.parameters() if all(p is not q for q in deformer.blendshapes.parameters())]
    final = regress([(others, FIELDS_RATE), (linear, BLENDSHAPES_RATE)], fields_loss, n_steps, "deformer")
    if linear:
        with torch.no_grad():
            parts = [
                avatar.features_near(points[rows], known[vertex[rows]], _any_of(frames, generator))[0]
                for rows in torch.arange(len(points)).split(SOLVE_BATCH)
            ]
        solve_blendshapes(deformer.blendshapes, torch.cat(parts), known[vertex])
    logger.info("warm start: deformer, supervision %.4f", final)


def _any_of(frames: PosedHead, generator: torch.Generator) -> PosedHead:
    row = int(torch.randint(len(frames), (1,), generator=generator))
    return frames[row : row + 1]


def regress(
    groups: Sequence[tuple[list[nn.Parameter], float]], loss: Callable[[], Tensor], n_steps: int, what: str
) -> float:
    """Adam on groups of parameters with their rates, which fall exponentially; returns the last loss."""
    optimiser = torch.optim.Adam([{"params": parameters, "lr": rate} for parameters, rate in groups])
    value = torch.zeros(())
    for step in track(range(n_steps), f"warm start: {what}"):
        for group, (_, rate) in zip(optimiser.param_groups, groups, strict=True):
            group["lr"] = rate * FINAL_RATE ** (step / n_steps)
        optimiser.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimiser.step()
    return float(value.detach())


@torch.no_grad()
def solve_blendshapes(linear: nn.Linear, hidden: Float[Tensor, "n w"], target: DeformationFields) -> None:
    """Set the linear layer of blendshapes and correctives to the least-squares solution for known last hidden values.

    The fields are linear in them, so that this needs no steps at all.
    """
    system = torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1).double()
    wanted = torch.cat([target.posedirs.flatten(1), target.shapedirs.flatten(1)], dim=1).double()
    normal = system.T @ system
    ridge = RIDGE * normal.diagonal().mean() * torch.eye(len(normal)).to(normal)
    solution = torch.linalg.solve(normal + ridge, system.T @ wanted)
    linear.weight.copy_(solution[:-1].T)
    linear.bias.copy_(solution[-1])
