"""What an epoch says of a run's health: counted at every step, logged once an epoch."""

import torch
from jaxtyping import Bool
from torch import Tensor

from imavatar.errors import TrainingError
from imavatar.training.distributed import SINGLE_PROCESS, Processes
from imavatar.types import RootStatistics, SurfaceHits

QUANTILES = {"residual_median": 0.5, "residual_90": 0.9, "residual_99": 0.99}

NOTHING_HIT = (
    "no ray has hit the surface for a whole epoch, so that nothing can be learned: the head is not where the cameras "
    "look, or the surface has vanished. Draw the data with scripts/check_data.py; check world_mat, intrinsics and "
    "model.ray_tracer.object_bounding_sphere; start from the head with train.warm_start_steps; lower the learning rate"
)


class EpochDiagnostics:
    """Shares and quantiles over all steps of an epoch.

    Everything stays on its device until `scalars`.
    """

    def __init__(self):
        self._counts: dict[str, list[Tensor]] = {}
        self._residuals: list[Tensor] = []

    @torch.no_grad()
    def add(self, hits: SurfaceHits, foreground: Bool[Tensor, " n"], quality: RootStatistics) -> None:
        """Count a step's rays and the points with an implicit gradient."""
        for name, rows in (
            ("rays", torch.ones_like(hits.hit)),
            ("converged", hits.converged),
            ("hit", hits.hit),
            ("foreground", foreground),
            ("hit_foreground", hits.hit & foreground),
            ("singular", quality.singular),
        ):
            self._counts.setdefault(name, []).append(rows.sum())
        self._residuals.append(quality.residual)

    def scalars(self, processes: Processes = SINGLE_PROCESS) -> dict[str, float]:
        """Shares of rays, quantiles of residuals (model units), singular Jacobians that were skipped.

        Args:
            processes: whose rays count; the quantiles are of this process's alone.

        Raises:
            TrainingError: nothing was hit.
        """
        own = [torch.stack(parts).sum().double() for parts in self._counts.values()]
        totals = processes.total(torch.stack(own)) if own else ()
        counts = dict(zip(self._counts, (int(total) for total in totals), strict=True))
        if counts.get("hit", 0) == 0:
            raise TrainingError(NOTHING_HIT)
        scalars = {
            "converged": counts["converged"] / counts["rays"],
            "hit": counts["hit"] / counts["rays"],
            "hit_foreground": counts["hit_foreground"] / max(1, counts["foreground"]),
            "singular": float(counts["singular"]),
        }
        residuals = torch.cat(self._residuals)
        if len(residuals) > 0:
            ordered = residuals.sort().values
            for name, share in QUANTILES.items():
                scalars[name] = float(ordered[round(share * (len(ordered) - 1))])
        return scalars


def health_line(scalars: dict[str, float]) -> str:
    """The diagnosis of an epoch in one line."""
    parts = [f"rays hit {scalars['hit']:.1%} (of the mask {scalars['hit_foreground']:.1%})"]
    parts.append(f"converged {scalars['converged']:.1%}")
    if "residual_median" in scalars:
        values = "/".join(f"{scalars[name]:.0e}" for name in QUANTILES)
        parts.append(f"residual (50/90/99 %) {values}")
    parts.append(f"singular {scalars['singular']:.0f}")
    if "proxy_drift" in scalars:
        moved, made, seconds, drift = (scalars[f"proxy_{name}"] for name in ("moved", "rebuilt", "seconds", "drift"))
        parts.append(f"proxy moved {moved:.0f}x, made {made:.0f}x in {seconds:.1f} s, off by {drift:.2f} cells at most")
    return ", ".join(parts)
