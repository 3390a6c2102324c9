"""The paper's surface search: uniform samples along the ray, then secant steps (docs/method.md, section 6)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.fields.functions import DeformationFunction, DistanceFunction
from imavatar.numerics.intersection import ray_sphere_interval, secant_search
from imavatar.numerics.precision import full_precision
from imavatar.rendering.correspondence import Correspondence, CorrespondenceSettings, find_canonical, overwrite
from imavatar.types import RayBundle, SurfaceHits, concatenate

QUERY_CHUNK, QUERY_CHUNK_GPU = 8192, 65536
"""Points that are solved at once; bounds the memory, does not change the result. A GPU is slow with few."""

Query = Callable[[Float[Tensor, "n 3"]], Correspondence]
Interval = tuple[Float[Tensor, " n"], Float[Tensor, " n"], Bool[Tensor, " n"]]


@dataclass(frozen=True, kw_only=True)
class PaperSearch:
    """Uniform samples in a bounding sphere, each solved from three guesses, then secant steps; see `find_surface`."""

    radius: float = 1.2
    n_samples: int = 100
    n_secant_steps: int = 8
    correspondence: CorrespondenceSettings
    wrap: bool = False

    def reset(self) -> None:
        """Nothing is kept between calls."""

    def statistics(self) -> dict[str, float]:
        """Nothing is kept that could be counted."""
        return {}

    def __call__(
        self,
        deform: DeformationFunction,
        field: DistanceFunction,
        rays: RayBundle,
        foreground: Bool[Tensor, " n"] | None,
    ) -> SurfaceHits:
        """Hits of rays of one frame."""
        with full_precision(rays.origins.device):
            return find_surface(
                lambda x_d: find_canonical(deform, field, x_d, self.correspondence),
                rays,
                interval=ray_sphere_interval(rays.origins, rays.directions, self.radius),
                n_samples=self.n_samples,
                n_secant_steps=self.n_secant_steps,
                foreground=foreground,
                wrap=self.wrap,
            )


@torch.no_grad()
def find_surface(
    query: Query,
    rays: RayBundle,
    *,
    interval: Interval,
    n_samples: int = 100,
    n_secant_steps: int = 8,
    foreground: Bool[Tensor, " n"] | None = None,
    wrap: bool = False,
) -> SurfaceHits:
    """First surface point of each ray in a depth interval; no gradient.

    A ray without a negative sample, and in training (`foreground` given) every ray outside the mask, takes its sample
    of least signed distance instead. `hit` means that a sample was negative. Rays that miss the sphere never hit: their
    depth is their closest approach in training, 0 in evaluation, and where a canonical point is found there its signed
    distance counts as any other. A ray that starts inside the surface has its first sample negative and no sample
    before it: that sample is taken as the surface.

    Args:
        query: deformed points to canonical ones with their signed distances.
        interval: near and far depth of each ray, and whether it meets the volume searched: what
            `ray_sphere_interval` returns for the paper's bounding sphere of radius 1.2.
        wrap: search a ray that starts inside between its last sample and its first, as the authors' code does.
    """
    near, far, meets = interval
    fraction = torch.linspace(0, 1, n_samples, dtype=near.dtype, device=near.device)
    depths = near[:, None] + fraction * (far - near)[:, None]  # [n, s]
    points = rays.origins[:, None] + depths[..., None] * rays.directions[:, None]
    found = _query_all(query, points[meets].reshape(-1, 3))
    n_meets = int(meets.sum())
    values = found.sdf.view(n_meets, n_samples)

    inside = values < 0
    hit = inside.any(dim=-1)
    wants_surface = hit if foreground is None else hit & foreground[meets]
    first = inside.to(torch.uint8).argmax(dim=-1)
    chosen = torch.where(wants_surface, first, values.argmin(dim=-1))
    rows = torch.arange(n_meets, device=near.device)
    sample = found[rows * n_samples + chosen]
    met = SurfaceHits(depths[meets][rows, chosen], hit, sample.x_c, sample.sdf, sample.converged)

    bracketed = (wants_surface & ((first > 0) | wrap)).nonzero()[:, 0]
    if len(bracketed) > 0:
        crossing, inner = rays[meets][bracketed], first[bracketed]
        ends = [table[bracketed, end] for table in (depths[meets], values) for end in (inner - 1, inner)]
        t = secant_search(lambda t, rows: query(crossing[rows].at(t)).sdf, *ends, n_steps=n_secant_steps)
        met.depth[bracketed] = t
        overwrite(met, bracketed, query(crossing.at(t)))
    depth = torch.zeros_like(near) if foreground is None else near.clone()
    none, origin = torch.zeros_like(meets), torch.zeros_like(rays.origins)
    hits = SurfaceHits(depth, none, origin, torch.ones_like(depth), none.clone())
    overwrite(hits, meets, met)
    missing = (~meets).nonzero()[:, 0]
    if len(missing) > 0:
        overwrite(hits, missing, _query_all(query, rays[missing].at(depth[missing])))
    return hits


def _query_all(query: Query, points: Float[Tensor, "n 3"]) -> Correspondence:
    size = QUERY_CHUNK_GPU if points.is_cuda else QUERY_CHUNK
    return concatenate([query(chunk) for chunk in points.split(size)])
