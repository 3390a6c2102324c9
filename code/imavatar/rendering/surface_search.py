"""The paper's surface search: uniform samples along the ray, then secant steps (docs/method.md, section 6)."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.fields.functions import DeformationFunction, DistanceFunction
from imavatar.numerics.intersection import ray_sphere_interval, secant_search
from imavatar.numerics.precision import full_precision
from imavatar.rendering.correspondence import Correspondence, CorrespondenceSettings, find_canonical
from imavatar.types import RayBundle, SurfaceHits, concatenate

QUERY_CHUNK, QUERY_CHUNK_GPU = 8192, 65536
"""Points that are solved at once; bounds the memory, does not change the result. A GPU is slow with few."""

Query = Callable[[Float[Tensor, "n 3"]], Correspondence]
Interval = tuple[Float[Tensor, " n"], Float[Tensor, " n"], Bool[Tensor, " n"]]


class PaperSearch:
    """Uniform samples in a bounding sphere, each solved from three guesses, then secant steps.

    Args:
        wrap: see `find_surface`.
    """

    def __init__(
        self,
        *,
        radius: float = 1.2,
        n_samples: int = 100,
        n_secant_steps: int = 8,
        correspondence: CorrespondenceSettings,
        wrap: bool = False,
    ):
        self.radius = radius
        self.n_samples = n_samples
        self.n_secant_steps = n_secant_steps
        self.correspondence = correspondence
        self.wrap = wrap

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

    A ray without a negative sample, and in training (`foreground` given) every ray outside the
    mask, takes its sample of least signed distance instead. `hit` means that a sample was negative.
    Rays that miss the sphere never hit: their depth is their closest approach in training, 0 in
    evaluation, and where a canonical point is found there its signed distance counts as any other.
    A ray that starts inside the surface has its first sample negative and no sample before it: that
    sample is taken as the surface.

    Args:
        query: deformed points to canonical ones with their signed distances.
        interval: near and far depth of each ray, and whether it meets the volume searched: what
            `ray_sphere_interval` returns for the paper's bounding sphere of radius 1.2.
        wrap: search a ray that starts inside between its last sample and its first, as the authors' code does.
    """
    if len(rays) == 0:
        return _empty(rays)
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
    x_c = found.x_c.view(n_meets, n_samples, 3)[rows, chosen].clone()
    sdf = values[rows, chosen].clone()
    converged = found.converged.view(n_meets, n_samples)[rows, chosen].clone()
    depth = depths[meets][rows, chosen].clone()

    bracketed = (wants_surface & ((first > 0) | wrap)).nonzero()[:, 0]
    if len(bracketed) > 0:
        refined = _refine(query, rays[meets][bracketed], depths[meets], values, first, bracketed, n_secant_steps)
        depth[bracketed], corresponding = refined
        x_c[bracketed] = corresponding.x_c
        sdf[bracketed] = corresponding.sdf
        converged[bracketed] = corresponding.converged
    missing_depth = torch.zeros_like(near) if foreground is None else near
    hits = _scatter(meets, missing_depth, SurfaceHits(depth, hit, x_c, sdf, converged))
    return _with_missing(query, rays, meets, hits)


def _query_all(query: Query, points: Float[Tensor, "n 3"]) -> Correspondence:
    size = QUERY_CHUNK_GPU if points.is_cuda else QUERY_CHUNK
    chunks = [query(chunk) for chunk in points.split(size)] if len(points) else [query(points)]
    return concatenate(chunks)


def _refine(
    query: Query,
    rays: RayBundle,
    depths: Float[Tensor, "m s"],
    values: Float[Tensor, "m s"],
    first: Int[Tensor, " m"],
    bracketed: Int[Tensor, " k"],
    n_steps: int,
) -> tuple[Float[Tensor, " k"], Correspondence]:
    """Depths of the surface between the first sample inside and the one before, and what is there.

    Args:
        rays: the `bracketed` ones of the m rays.
    """
    inside_index = first[bracketed]
    before = inside_index - 1
    depth = secant_search(
        lambda t, rows: query(rays[rows].at(t)).sdf,
        depths[bracketed, before],
        depths[bracketed, inside_index],
        values[bracketed, before],
        values[bracketed, inside_index],
        n_steps,
    )
    return depth, query(rays.at(depth))


def _scatter(meets: Bool[Tensor, " n"], missing_depth: Float[Tensor, " n"], found: SurfaceHits) -> SurfaceHits:
    """What is known of the rays that meet the volume, put among all rays."""
    n = len(meets)
    full_depth = missing_depth.clone()
    full_hit = torch.zeros_like(meets)
    full_x_c = found.depth.new_zeros(n, 3)
    full_sdf = found.depth.new_ones(n)
    full_converged = torch.zeros_like(meets)
    full_depth[meets], full_hit[meets], full_x_c[meets] = found.depth, found.hit, found.x_c
    full_sdf[meets], full_converged[meets] = found.sdf, found.converged
    return SurfaceHits(full_depth, full_hit, full_x_c, full_sdf, full_converged)


def _with_missing(query: Query, rays: RayBundle, meets: Bool[Tensor, " n"], hits: SurfaceHits) -> SurfaceHits:
    """Canonical points and signed distances of the rays that miss the volume, at their one depth."""
    missing = (~meets).nonzero()[:, 0]
    if len(missing) == 0:
        return hits
    found = _query_all(query, rays[missing].at(hits.depth[missing]))
    x_c, sdf, converged = hits.x_c.clone(), hits.sdf.clone(), hits.converged.clone()
    x_c[missing], sdf[missing], converged[missing] = found.x_c, found.sdf, found.converged
    return replace(hits, x_c=x_c, sdf=sdf, converged=converged)


def _empty(rays: RayBundle) -> SurfaceHits:
    zero = rays.origins.new_zeros(0)
    none = torch.zeros(0, dtype=torch.bool, device=zero.device)
    return SurfaceHits(zero, none, rays.origins.new_zeros(0, 3), zero.clone(), none.clone())
