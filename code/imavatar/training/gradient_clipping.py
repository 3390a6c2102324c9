"""Gradients far above the usual ones, which a single ray can cause and which would spoil a run."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def clip_to_running_norm(optimiser: torch.optim.Adam, factor: float) -> bool:
    """Scale the gradient of each parameter group down to at most `factor` times its usual norm, in place.

    The gradient of a surface point grows without bound as the ray grazes the surface (docs/method.md, section 7). Adam
    would follow such a step for many more: it is measured against the root mean square of earlier norms, which Adam has
    already, so that there is no threshold to choose and no state to keep.

    Args:
        factor: 0 leaves everything as it is.

    Returns:
        Whether anything was scaled.

    Raises:
        FloatingPointError: where a gradient is not finite.
    """
    groups = [[p for p in group["params"] if p.grad is not None] for group in optimiser.param_groups]
    decays = [group["betas"][1] for group in optimiser.param_groups]
    pairs = [
        (torch.nn.utils.get_total_norm([p.grad for p in group]), _usual_norm(optimiser, group, decay))
        for group, decay in zip(groups, decays, strict=True)
        if group
    ]
    clipped = False
    # One transfer for all: a GPU is waited for each time.
    values = torch.stack([value for pair in pairs for value in pair]).view(-1, 2).tolist() if pairs else []
    for group, (norm, usual) in zip(filter(None, groups), values, strict=True):
        if not math.isfinite(norm):
            raise FloatingPointError(f"a gradient's norm is {norm}")
        if 0 < factor * usual < norm:
            torch.nn.utils.clip_grads_with_norm_(group, factor * usual, torch.tensor(norm))
            clipped = True
    return clipped


def _usual_norm(optimiser: torch.optim.Adam, parameters: list[Tensor], decay: float) -> Float[Tensor, ""]:
    """Root mean square of the norms of past gradients; 0 before the first step."""
    by_step: dict[float, list[Tensor]] = {}
    for state in (optimiser.state[p] for p in parameters if p in optimiser.state):
        by_step.setdefault(float(state["step"]), []).append(state["exp_avg_sq"])
    # Of what is nowhere negative the sum is the 1-norm.
    sums = [torch.nn.utils.get_total_norm(v, 1.0) / (1 - decay**step) for step, v in by_step.items()]
    return torch.stack(sums).sum().sqrt() if sums else parameters[0].new_zeros(())
