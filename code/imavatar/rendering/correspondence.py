"""Deformed points to canonical points over several initial guesses (docs/method.md, section 5). No gradient."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.anatomy import N_JOINTS
from imavatar.fields.functions import DeformationFunction
from imavatar.numerics.linalg import inverse_3x3, transform_points
from imavatar.numerics.precision import full_precision
from imavatar.numerics.root_finding import RootResult, broyden
from imavatar.settings import MAX_ITERATIONS, RATE, above, key
from imavatar.types import SurfaceHits, TensorRecord

INITIAL_BONES = {N_JOINTS: (0, 1, 2), N_JOINTS + 1: (0, 2, 3)}
"""Bones that take a deformed point rigidly back: global, neck, jaw; with it the ghost bone's turn."""

SAME_ROOT = 1e-4
"""Roots nearer to each other, model units, are taken for one: each is known to about a tenth of it."""

NO_SURFACE = 1.0
"""Signed distance that stands for 'no canonical point found'."""


@dataclass(frozen=True)
class BroydenSettings:
    """Broyden's method: steps, residual norm to reach, residual norm to give up at."""

    max_steps: int = key(10, above(0, MAX_ITERATIONS))
    tolerance: float = key(1.0e-5, RATE)
    divergence: float = key(1.0, RATE)


@dataclass(frozen=True)
class CorrespondenceSettings(BroydenSettings):
    """Also whether a point keeps its best iterate; see `broyden`."""

    keep_best: bool = True


@dataclass(frozen=True)
class Correspondence(TensorRecord):
    """Canonical points of least signed distance; without one, sdf is +1 and x_c any candidate."""

    x_c: Float[Tensor, "n 3"]
    sdf: Float[Tensor, " n"]
    converged: Bool[Tensor, " n"]


def overwrite(known: SurfaceHits, rows: Tensor, found: Correspondence | SurfaceHits) -> None:
    """Put what was found of some rays, given by index or mask, in the place of what is known of them."""
    for name, values in vars(found).items():
        getattr(known, name)[rows] = values


@torch.no_grad()
def rigid_guesses(deform: DeformationFunction, x_d: Float[Tensor, "n 3"]) -> Float[Tensor, "k n 3"]:
    """Deformed points taken rigidly back to the canonical pose with each of three bones."""
    bones = list(INITIAL_BONES[len(deform.transforms)])
    back = torch.linalg.solve(deform.transforms[bones].mT, deform.canonical_transforms[bones].mT).mT  # T_canon T^-1
    n, k = len(x_d), len(bones)
    return transform_points(back[:, None].expand(-1, n, -1, -1), x_d.expand(k, n, 3))


@torch.no_grad()
def canonical_candidates(
    deform: DeformationFunction, x_d: Float[Tensor, "n 3"], settings: CorrespondenceSettings
) -> RootResult:
    """Solutions of d(x_c) = x_d from all guesses; rows are those of the guesses one after the other, [k n]."""
    with full_precision(x_d.device):
        start = rigid_guesses(deform, x_d)
        target = x_d.repeat(len(start), 1)
        start = start.flatten(0, 1)
        return broyden(
            lambda point, rows: deform(point) - target[rows],
            start,
            inverse_3x3(deform.blended_rotation(start)),
            **asdict(settings),
        )


@torch.no_grad()
def find_canonical(
    deform: DeformationFunction,
    sdf: Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]],
    x_d: Float[Tensor, "n 3"],
    settings: CorrespondenceSettings,
    *,
    distinct: bool = False,
) -> Correspondence:
    """Solve d(x_c) = x_d from three bones' rigid guesses; keep the root of least signed distance.

    Args:
        distinct: evaluate a root once if several guesses lead to it, as most do; the paper evaluates it for each.
    """
    result = canonical_candidates(deform, x_d, settings)
    n, k = len(x_d), len(INITIAL_BONES[len(deform.transforms)])
    wanted = result.converged
    if distinct:
        wanted = wanted & ~_known_before(result.x.view(k, n, 3), wanted.view(k, n)).view(-1)
    distance = torch.full_like(result.residual, NO_SURFACE)
    distance[wanted] = sdf(result.x[wanted])
    distance, chosen = distance.view(k, n).min(dim=0)
    rows = torch.arange(n, device=x_d.device)
    return Correspondence(
        x_c=result.x.view(k, n, 3)[chosen, rows], sdf=distance, converged=result.converged.view(k, n).any(dim=0)
    )


def _known_before(x_c: Float[Tensor, "k n 3"], converged: Bool[Tensor, "k n"]) -> Bool[Tensor, "k n"]:
    """Which roots are, to SAME_ROOT, those of an earlier guess."""
    known = torch.zeros_like(converged)
    for later in range(1, len(x_c)):
        near = (x_c[:later] - x_c[later]).norm(dim=-1) < SAME_ROOT
        known[later] = (near & converged[:later]).any(dim=0)
    return known
