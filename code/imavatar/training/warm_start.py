"""Start from the fitted head instead of a sphere: the fields are regressed to the head's own."""

import logging
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.fields.deformer import Deformer
from imavatar.losses import head_fields_loss
from imavatar.rendering.avatar import Avatar
from imavatar.training.head_samples import HeadSurface, sample_distances, sample_fields
from imavatar.types import DeformationFields

logger = logging.getLogger(__name__)

SDF_BATCH, SDF_RATE = 1536, 1e-3
FIELDS_BATCH, FIELDS_RATE = 512, 2e-3
BLENDSHAPES_RATE = 5e-5
"""Blendshapes are small numbers (a standard deviation moves a lip by hundredths of a unit): larger steps are noise."""
RIDGE = 1e-5
FINAL_RATE = 0.05


def warm_start(avatar: Avatar, head: HeadSurface, *, n_steps: int, bound: float, generator: torch.Generator) -> None:
    """Regress the signed distance to the head's mesh, under any latent code, and the deformer to its vertices' fields.

    Args:
        n_steps: of each of the two regressions.
        bound: half the side of the cube in which distances are sampled, model units.
    """
    samples = sample_distances(head, bound, generator)

    def sdf_loss() -> Tensor:
        some = samples.draw(SDF_BATCH, generator)
        latent = torch.rand(1, avatar.geometry.latent_size, generator=generator).to(some.points)
        return (avatar.geometry.sdf(some.points, latent) - some.distances).abs().mean()

    final = regress([(list(avatar.geometry.parameters()), SDF_RATE)], sdf_loss, n_steps)
    logger.info("warm start: signed distance, mean error %.4f", final)

    points, vertex = sample_fields(head.supervision, generator)
    fields = head.supervision.fields

    def fields_loss() -> Tensor:
        rows = torch.randint(len(points), (FIELDS_BATCH,), generator=generator).to(points.device)
        return head_fields_loss(avatar.deformer(points[rows]), fields[vertex[rows]])

    deformer = avatar.deformer
    linear = list(deformer.blendshapes.parameters())
    others = [p for p in deformer.parameters() if all(p is not q for q in linear)]
    final = regress([(others, FIELDS_RATE), (linear, BLENDSHAPES_RATE)], fields_loss, n_steps)
    solve_blendshapes(deformer, points, fields[vertex])
    logger.info("warm start: deformer, supervision %.4f", final)


def regress(groups: Sequence[tuple[list[nn.Parameter], float]], loss: Callable[[], Tensor], n_steps: int) -> float:
    """Adam on groups of parameters with their rates, which fall exponentially; returns the last loss."""
    optimiser = torch.optim.Adam([{"params": parameters, "lr": rate} for parameters, rate in groups])
    value = torch.zeros(())
    for step in range(n_steps):
        for group, (_, rate) in zip(optimiser.param_groups, groups, strict=True):
            group["lr"] = rate * FINAL_RATE ** (step / n_steps)
        optimiser.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimiser.step()
    return float(value.detach())


@torch.no_grad()
def solve_blendshapes(deformer: Deformer, points: Float[Tensor, "n 3"], target: DeformationFields) -> None:
    """Set the linear layer of blendshapes and correctives to the least-squares solution at points.

    The fields are linear in the last hidden layer, so that this needs no steps at all.
    """
    hidden = deformer.hidden(points)[-1]
    system = torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1).double()
    wanted = torch.cat([target.posedirs.flatten(1), target.shapedirs.flatten(1)], dim=1).double()
    normal = system.T @ system
    ridge = RIDGE * normal.diagonal().mean() * torch.eye(len(normal)).to(normal)
    solution = torch.linalg.solve(normal + ridge, system.T @ wanted)
    deformer.blendshapes.weight.copy_(solution[:-1].T)
    deformer.blendshapes.bias.copy_(solution[-1])
