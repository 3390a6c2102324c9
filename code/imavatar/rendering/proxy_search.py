"""Surface search from a posed mesh of the canonical surface, refined by Newton's method.

The canonical surface is meshed and pushed forward through the deformer, which needs no root finding; rays are cast
against the posed mesh, and each hit is refined on the very system that defines the analytic gradient. What cannot be
confirmed is looked for along a short piece of the ray.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.fields.functions import DistanceFunction, MeshDeformation
from imavatar.numerics.intersection import ray_sphere_interval
from imavatar.numerics.mesh_bvh import PAST_FACE, MeshPoints
from imavatar.numerics.precision import full_precision
from imavatar.rendering.correspondence import CorrespondenceSettings, find_canonical, overwrite
from imavatar.rendering.local_search import search_near
from imavatar.rendering.newton import refine_correspondence, refine_on_ray
from imavatar.rendering.proxy_mesh import CachedProxy, ProxyMesh
from imavatar.rendering.surface_search import find_surface
from imavatar.types import RayBundle, SurfaceHits

FARTHEST_MOVE = 0.06
"""Farther than this from the mesh's hit, model units, a refined point may be on another sheet."""

MAX_CASTS = 3
"""Sheets of the mesh behind one another at which a ray's hit is looked for."""

TRAINING_LIMIT = 32
"""False hits that a training step resolves; the others get no loss this time."""
TRAINING_PERIOD = 4
"""In training unconfirmed rays are searched in every fourth call; else they get no loss this time."""

FALSE_HIT_SAMPLES, FALSE_HIT_REACH = 12, 0.6
"""How far behind its entry a ray outside the mask is searched for its least signed distance."""

Rows = Int[Tensor, " _"]
"""Indices of some of a call's rays, of any number."""


class ProxySearch:
    """Finds surface points of one frame's rays; keeps the canonical mesh between calls.

    Frames with latent codes have surfaces of their own: the mesh of the frame before is a first guess where it is
    near enough, and updated or made anew where it is not. Every point is confirmed on the frame's own surface.
    The mesh is posed in place, so a search serves one thread at a time.

    Args:
        radius: rays are searched inside the sphere of this radius.
        resolution: of the mesh, in cells along its longest side.
    """

    def __init__(self, *, radius: float, resolution: int, correspondence: CorrespondenceSettings):
        self.radius = radius
        self.correspondence = correspondence
        self.proxy = CachedProxy(resolution=resolution, bound=radius)
        self.reset()

    def reset(self) -> None:
        """Forget the mesh: the next call makes a new one."""
        self.proxy.reset()
        self._training_calls = 0

    def statistics(self) -> dict[str, float]:
        """How far the mesh has been from the surface since `reset`, and how often it was updated or made anew."""
        return self.proxy.statistics()

    @torch.no_grad()
    def __call__(
        self, deform: MeshDeformation, field: DistanceFunction, rays: RayBundle, foreground: Bool[Tensor, " n"] | None
    ) -> SurfaceHits:
        """Hits of rays of one frame; conventions as in `surface_search.find_surface`."""
        with full_precision(rays.origins.device):
            mesh = self.proxy.mesh(field, rays.origins.device)
            near, far, meets = ray_sphere_interval(rays.origins, rays.directions, self.radius)
            trace = _Trace(deform, field, mesh, rays, near, self.proxy.fresh)
            if len(rays) == 0 or len(mesh.faces) == 0:
                return trace.hits
            index = mesh.pose(deform)
            cast = index.cast(rays.origins, rays.directions)
            unconfirmed = trace.refine_mesh_hits(cast)
            if foreground is not None:
                missed = ((cast.face < 0) & meets).nonzero()[:, 0]
                passing = rays[missed]
                approach = index.closest_approach(passing.origins, passing.directions, near[missed], far[missed])
                inside = trace.refine_approaches(missed, approach)
                self._training_calls += 1
                searched = self._training_calls % TRAINING_PERIOD == 0
                unconfirmed = torch.cat([unconfirmed, inside]) if searched else unconfirmed[:0]
            trace.mesh_depth = trace.hits.depth.clone()
            for _ in range(MAX_CASTS):
                trace.search_locally(unconfirmed)
                unconfirmed = trace.cast_behind(unconfirmed[~trace.hits.hit[unconfirmed]])
            if foreground is not None:
                trace.search_false_hits(foreground, self.correspondence)
            return trace.hits


@dataclass
class _Trace:
    """One call: a frame's functions, its rays, and what is known of each ray so far.

    `mesh_depth` is where rays meet the mesh, as far as they have been followed; with `estimates` the mesh is so near
    the surface that distances on it need not be evaluated.
    """

    deform: MeshDeformation
    field: DistanceFunction
    mesh: ProxyMesh
    rays: RayBundle
    mesh_depth: Float[Tensor, " n"]
    estimates: bool

    def __post_init__(self):
        depth, none = self.mesh_depth, torch.zeros_like(self.mesh_depth, dtype=torch.bool)
        x_c, sdf = torch.zeros_like(self.rays.origins), torch.ones_like(depth)
        self.hits = SurfaceHits(depth.clone(), none, x_c, sdf, none.clone())

    def refine_mesh_hits(self, cast: MeshPoints) -> Rows:
        """Newton from the mesh's hits; returns the rays whose hit could not be confirmed."""
        rows = (cast.face >= 0).nonzero()[:, 0]
        if len(rows) == 0:
            return rows
        met = cast[rows]
        start = self.mesh.interpolate(self.mesh.vertices, met)
        found = self._confirm(rows, met, start, met.depth)
        none, left = torch.zeros_like(found.hit), ~found.hit
        unconfirmed = SurfaceHits(met.depth, none, start, found.sdf.abs(), none)
        overwrite(self.hits, rows[left], unconfirmed[left])
        return rows[left]

    def refine_approaches(self, missed: Rows, approach: MeshPoints) -> Rows:
        """Canonical points where rays come closest to the mesh; returns the rays that are inside after all."""
        if len(missed) == 0:
            return missed
        x_d = self.rays[missed].at(approach.depth)
        start = self.mesh.interpolate(self.mesh.vertices, approach)
        x_c, converged = refine_correspondence(self.deform, x_d, start)
        sdf = self.field(x_c)
        overwrite(self.hits, missed, SurfaceHits(approach.depth, torch.zeros_like(converged), x_c, sdf, converged))
        return missed[converged & (sdf < 0)]

    def search_locally(self, unconfirmed: Rows) -> None:
        """Along a short piece of the ray around where the mesh was met."""
        if len(unconfirmed) == 0:
            return
        known = self.hits[unconfirmed]
        found = search_near(self.deform, self.field, self.rays[unconfirmed], known.x_c, known.depth)
        overwrite(self.hits, unconfirmed, found)

    def cast_behind(self, without_hit: Rows) -> Rows:
        """Newton from the next hit of the mesh where nothing was found at the one before, at `mesh_depth`.

        Folds, as of lips, are thin: what is seen there may be the sheet behind them. Returns the rays that meet the
        mesh again but are not confirmed again; `mesh_depth` is then where.
        """
        if len(without_hit) == 0:
            return without_hit
        passed = self.mesh_depth[without_hit] + PAST_FACE
        rays = self.rays[without_hit]
        cast = self.mesh.pose(self.deform).cast(rays.at(passed), rays.directions)
        again = cast.face >= 0
        rows, cast = without_hit[again], cast[again]
        if len(rows) == 0:
            return rows
        self.mesh_depth[rows] = depth = passed[again] + cast.depth
        start = self.mesh.interpolate(self.mesh.vertices, cast)
        left = ~self._confirm(rows, cast, start, depth).hit
        self.hits.depth[rows[left]], self.hits.x_c[rows[left]] = depth[left], start[left]
        return rows[left]

    def search_false_hits(self, foreground: Bool[Tensor, " n"], settings: CorrespondenceSettings) -> None:
        """Rays that hit outside the mask take their least signed distance, as in the paper."""
        false_hits = (self.hits.hit & ~foreground).nonzero()[:, 0]
        self.hits.converged[false_hits] = False
        false_hits = false_hits[:TRAINING_LIMIT]
        if len(false_hits) == 0:
            return
        entry = self.hits.depth[false_hits]
        found = find_surface(
            lambda x_d: find_canonical(self.deform, self.field, x_d, settings, distinct=True),
            self.rays[false_hits],
            interval=(entry, entry + FALSE_HIT_REACH, torch.ones_like(entry, dtype=torch.bool)),
            n_samples=FALSE_HIT_SAMPLES,
            foreground=torch.zeros_like(entry, dtype=torch.bool),
        )
        overwrite(self.hits, false_hits, replace(found, hit=torch.ones_like(found.hit)))

    def _confirm(
        self, rows: Rows, met: MeshPoints, start: Float[Tensor, "k 3"], depth: Float[Tensor, " k"]
    ) -> SurfaceHits:
        """Newton on rays that meet the mesh at points `met`, at some depths, from canonical points; notes its hits."""
        gradient = self.mesh.interpolate(self.mesh.gradients, met)
        estimate = self.mesh.estimate_sdf(start, met) if self.estimates else None
        found = refine_on_ray(self.deform, self.field, self.rays[rows], start, gradient, estimate=estimate)
        found = replace(found, hit=found.hit & ((found.depth - depth).abs() < FARTHEST_MOVE))
        overwrite(self.hits, rows[found.hit], found[found.hit])
        return found
