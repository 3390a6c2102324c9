"""Surface search from a posed mesh of the canonical surface, polished by Newton's method.

The canonical surface is meshed and pushed forward through the deformer, which needs no root
finding; rays are cast against the posed mesh, and each hit is polished on the very system that
defines the analytic gradient. What cannot be confirmed is looked for along a short piece of the
ray.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.fields.functions import DistanceFunction, MeshDeformation
from imavatar.numerics.intersection import ray_sphere_interval
from imavatar.numerics.mesh_bvh import PAST_FACE
from imavatar.numerics.precision import full_precision
from imavatar.rendering.correspondence import (
    Correspondence,
    CorrespondenceSettings,
    find_canonical,
)
from imavatar.rendering.local_search import search_near
from imavatar.rendering.newton import refine_correspondence, refine_on_ray
from imavatar.rendering.proxy_mesh import ProxyMesh
from imavatar.rendering.surface_search import find_surface
from imavatar.types import RayBundle, SurfaceHits

FARTHEST_MOVE = 0.06
"""Farther than this from the mesh's hit, model units, a polished point may be on another sheet."""

MAX_CASTS = 3
"""Sheets of the mesh behind one another at which a ray's hit is looked for."""

TRAINING_LIMIT = 32
"""False hits that a training step resolves; the others get no loss this time."""
TRAINING_PERIOD = 4
"""In training unconfirmed rays are searched in every fourth call; else they get no loss this time."""

FALSE_HIT_SAMPLES, FALSE_HIT_REACH = 12, 0.6
"""How far behind its entry a ray outside the mask is searched for its least signed distance."""

FRESH_DRIFT, REFRESH_DRIFT, REBUILD_DRIFT = 0.03, 0.6, 1.5
"""Of the surface from the mesh, in cells, found before every search: below the first, distances on the mesh need not be
evaluated; above the others it is moved, and made anew."""


@dataclass
class ProxyAge:
    """Staleness of the mesh: its largest distance from the surface (98th percentile, in cells) before it was moved or
    made anew, how often it was and how many seconds that took, for how many calls it was used as it is, now and at
    most.
    """

    drift: float = 0.0
    moved: int = 0
    rebuilt: int = 0
    seconds: float = 0.0
    calls: int = 0
    most_calls: int = 0


class ProxySearch:
    """Finds surface points of one frame's rays; keeps the canonical mesh between calls.

    Frames with latent codes have surfaces of their own: the mesh of the frame before is a first guess where it is
    near enough, and moved or made anew where it is not. Every point is confirmed on the frame's own surface.

    Args:
        radius: rays are searched inside the sphere of this radius.
        resolution: of the mesh, in cells along its longest side.
    """

    def __init__(
        self,
        *,
        radius: float,
        resolution: int,
        correspondence: CorrespondenceSettings,
    ):
        self.radius = radius
        self.resolution = resolution
        self.correspondence = correspondence
        self._proxy: ProxyMesh | None = None
        self._calls = 0
        self._age = ProxyAge()
        self._fresh = False

    def reset(self) -> None:
        """Forget the mesh: the next call makes a new one."""
        self._proxy = None
        self._calls = 0
        self._age = ProxyAge()

    def staleness(self) -> dict[str, float]:
        """How far the mesh has been from the surface since `reset`, and how often it was moved or made anew."""
        return {f"proxy_{name}": float(value) for name, value in asdict(self._age).items()}

    @torch.no_grad()
    def __call__(
        self,
        deform: MeshDeformation,
        field: DistanceFunction,
        rays: RayBundle,
        foreground: Bool[Tensor, " n"] | None,
    ) -> SurfaceHits:
        """Hits of rays of one frame; conventions as in `surface_search.find_surface`."""
        with full_precision(rays.origins.device):
            return self._find(deform, field, rays, foreground)

    def _find(self, deform, field, rays, foreground) -> SurfaceHits:
        proxy = self._fresh_proxy(field, rays.origins.device)
        near, far, meets = ray_sphere_interval(rays.origins, rays.directions, self.radius)
        result = _Result(rays, near)
        if len(rays) == 0 or len(proxy.faces) == 0:
            return result.hits()
        index = proxy.pose(deform)
        cast = index.cast(rays.origins, rays.directions)
        mesh_hit = (cast.face >= 0).nonzero()[:, 0]
        unconfirmed = self._refine_mesh_hits(deform, field, proxy, rays, cast, mesh_hit, result)
        missed = ((cast.face < 0) & meets).nonzero()[:, 0]
        if foreground is not None:
            passing = rays[missed]
            approach = index.approach(passing.origins, passing.directions, near[missed], far[missed])
            inside = self._polish_missed(deform, field, proxy, passing, approach, missed, result)
            self._calls += 1
            searched = self._calls % TRAINING_PERIOD == 0
            unconfirmed = torch.cat([unconfirmed, inside]) if searched else unconfirmed[:0]
        met = result.depth.clone()
        for _ in range(MAX_CASTS):
            self._search_locally(deform, field, rays, unconfirmed, result)
            without_hit = unconfirmed[~result.hit[unconfirmed]]
            unconfirmed = self._cast_behind(deform, field, proxy, index, rays, without_hit, met, result)
        if foreground is not None:
            self._search_false_hits(self._query(deform, field), rays, foreground, result)
        return result.hits()

    def _fresh_proxy(self, field: DistanceFunction, device) -> ProxyMesh:
        """The mesh, moved or made anew where the surface has left it."""
        started = time.perf_counter()
        drift = 0.0
        if self._proxy is not None and len(self._proxy.faces) > 0:
            drift = self._proxy.drift(field) / self._proxy.cell
            self._age.drift = max(self._age.drift, drift)
        if self._proxy is None or len(self._proxy.faces) == 0 or drift > REBUILD_DRIFT:
            self._proxy = ProxyMesh(field, resolution=self.resolution, bound=self.radius, device=device)
            self._age.rebuilt += 1
            self._age.calls = 0
        elif drift > REFRESH_DRIFT:
            self._proxy.move(field)
            self._age.moved += 1
            self._age.calls = 0
        self._fresh = drift < FRESH_DRIFT
        self._age.seconds += time.perf_counter() - started
        self._age.calls += 1
        self._age.most_calls = max(self._age.most_calls, self._age.calls)
        return self._proxy

    def _query(self, deform, field) -> Callable[[Float[Tensor, "n 3"]], Correspondence]:
        return lambda x_d: find_canonical(deform, field, x_d, self.correspondence, distinct=True)

    def _refine_mesh_hits(self, deform, field, proxy, rays, cast, mesh_hit, result):
        """Newton from the mesh's hits; returns the rays whose hit could not be confirmed."""
        if len(mesh_hit) == 0:
            return mesh_hit
        met = cast[mesh_hit]
        start = proxy.interpolate(proxy.vertices, met)
        left, sdf = self._confirm(deform, field, proxy, rays, mesh_hit, met, start, met.depth, result)
        rows = mesh_hit[left]
        result.put(rows, cast.depth[rows], start[left], sdf.abs(), torch.zeros_like(rows, dtype=torch.bool))
        return rows

    def _confirm(self, deform, field, proxy, rays, rows, met, start, met_depth, result):
        """Newton on rays that meet the mesh at `met`, from canonical points `start`; notes what is confirmed.

        Returns which of the rows are not, and their signed distances.
        """
        gradient = proxy.interpolate(proxy.gradients, met)
        estimate = proxy.estimate(start, met) if self._fresh else None
        x_c, depth, sdf, accepted = refine_on_ray(deform, field, rays[rows], start, gradient, estimate=estimate)
        accepted &= (depth - met_depth).abs() < FARTHEST_MOVE
        confirmed = rows[accepted]
        result.put(confirmed, depth[accepted], x_c[accepted], sdf[accepted], accepted[accepted])
        result.hit[confirmed] = True
        return ~accepted, sdf[~accepted]

    def _cast_behind(self, deform, field, proxy, index, rays, without_hit, met, result):
        """Newton from the next hit of the mesh where nothing was found at the one before, at depths `met`.

        Folds, as of lips, are thin: what is seen there may be the sheet behind them. Returns the rays that meet the
        mesh again but are not confirmed again; `met` is then where.
        """
        if len(without_hit) == 0:
            return without_hit
        passed = met[without_hit] + PAST_FACE
        cast = index.cast(rays[without_hit].at(passed), rays.directions[without_hit])
        mesh_hit = cast.face >= 0
        rows, cast = without_hit[mesh_hit], cast[mesh_hit]
        if len(rows) == 0:
            return rows
        met[rows] = depth = passed[mesh_hit] + cast.depth
        start = proxy.interpolate(proxy.vertices, cast)
        left, _ = self._confirm(deform, field, proxy, rays, rows, cast, start, depth, result)
        result.depth[rows[left]], result.x_c[rows[left]] = depth[left], start[left]
        return rows[left]

    @staticmethod
    def _polish_missed(deform, field, proxy, rays, approach, missed, result):
        """Canonical points of the closest approaches; returns the rays that are inside after all."""
        if len(missed) == 0:
            return missed
        x_d = rays.at(approach.depth)
        x_c, converged = refine_correspondence(deform, x_d, proxy.interpolate(proxy.vertices, approach))
        sdf = field(x_c)
        result.put(missed, approach.depth, x_c, sdf, converged)
        return missed[converged & (sdf < 0)]

    @staticmethod
    def _search_locally(deform, field, rays, unconfirmed, result):
        """Along a short piece of the ray around where the mesh was met."""
        if len(unconfirmed) == 0:
            return
        found = search_near(deform, field, rays[unconfirmed], result.x_c[unconfirmed], result.depth[unconfirmed])
        result.put(unconfirmed, found.depth, found.x_c, found.sdf, found.converged)
        result.hit[unconfirmed] = found.hit

    @staticmethod
    def _search_false_hits(query, rays, foreground, result):
        """Rays that hit outside the mask take their least signed distance, as in the paper."""
        false_hits = (result.hit & ~foreground).nonzero()[:, 0]
        result.converged[false_hits] = False
        false_hits = false_hits[:TRAINING_LIMIT]
        if len(false_hits) == 0:
            return
        entry = result.depth[false_hits]
        interval = (entry, entry + FALSE_HIT_REACH, torch.ones_like(entry, dtype=torch.bool))
        nowhere = torch.zeros_like(entry, dtype=torch.bool)
        found = find_surface(
            query,
            rays[false_hits],
            interval=interval,
            n_samples=FALSE_HIT_SAMPLES,
            foreground=nowhere,
        )
        result.put(false_hits, found.depth, found.x_c, found.sdf, found.converged)


class _Result:
    """Results per ray while they are being gathered."""

    def __init__(self, rays: RayBundle, depth: Float[Tensor, " n"]):
        n = len(rays)
        self.depth = depth.clone()
        self.hit = torch.zeros(n, dtype=torch.bool, device=depth.device)
        self.x_c = torch.zeros_like(rays.origins)
        self.sdf = torch.ones_like(depth)
        self.converged = torch.zeros_like(self.hit)

    def put(self, rows, depth, x_c, sdf, converged) -> None:
        self.depth[rows], self.x_c[rows] = depth, x_c
        self.sdf[rows], self.converged[rows] = sdf, converged

    def hits(self) -> SurfaceHits:
        return SurfaceHits(self.depth, self.hit, self.x_c, self.sdf, self.converged)
