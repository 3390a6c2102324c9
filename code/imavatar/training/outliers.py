"""Gradients far above the usual ones, which a single ray can cause and which would spoil a run."""

import math

import torch


def limit_outliers(optimiser: torch.optim.Adam, factor: float) -> bool:
    """Scale the gradient of each parameter group down to at most `factor` times its usual norm, in place.

    The gradient of a surface point grows without bound as the ray grazes the surface (SPEC section 7). Adam would
    follow such a step for many more: it is measured against the root mean square of earlier norms, which Adam has
    already, so that there is no threshold to choose and no state to keep.

    Args:
        factor: 0 leaves everything as it is.

    Returns:
        Whether anything was scaled.

    Raises:
        FloatingPointError: where a gradient is not finite.
    """
    limited = False
    for group in optimiser.param_groups:
        usual = _usual_norm(optimiser, group)
        limit = factor * usual if factor * usual > 0 else math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(group["params"], limit))
        if not math.isfinite(norm):
            raise FloatingPointError(f"a gradient's norm is {norm}")
        limited |= norm > limit
    return limited


def _usual_norm(optimiser: torch.optim.Adam, group: dict) -> float:
    """Root mean square of the norms of past gradients; 0 before the first step."""
    states = [optimiser.state[p] for p in group["params"] if p in optimiser.state]
    decay = group["betas"][1]
    return math.sqrt(sum(float(s["exp_avg_sq"].sum()) / (1 - decay ** float(s["step"])) for s in states))
