"""Whether both searches find the same surface, and who is right where they do not."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.build import build_image_search
from imavatar.numerics.intersection import ray_sphere_interval
from imavatar.rendering.avatar import Avatar, Search
from imavatar.rendering.camera import cast_rays, pixel_grid
from imavatar.rendering.correspondence import find_canonical
from imavatar.rendering.search_check import SAME_DEPTH
from imavatar.rendering.surface_search import find_surface
from imavatar.types import SurfaceHits
from imavatar_lab.benchmark.measure import Rays, rays_of
from imavatar_lab.benchmark.reference import ReferenceDeformer
from imavatar_lab.benchmark.scene import Scene

DENSE_SAMPLES, DENSE_SECANT_STEPS, DENSE_HALF_WIDTH = 400, 16, 0.1


@dataclass(frozen=True)
class Agreement:
    """Of two searches on the same rays without a mask; depths in model units.

    Where depths differ by more than SAME_DEPTH, or only one search hits, a search with many more samples near what
    both found says who is right; `undecided`: neither.
    """

    rays: int
    hits: int
    other_hits: int
    other_depths: int
    fast_right: int
    paper_right: int
    undecided: int
    median_difference: float
    difference_99: float


@torch.no_grad()
def agreement(scene: Scene, size: int, n_rays: int, n_frames: int) -> Agreement:
    """Both searches on the rays of some frames."""
    totals, differences = [0] * 7, []
    for frame in range(n_frames):
        part = rays_of(scene, frame, size, n_rays)
        found = scene.avatar.find_surface(part.rays, part.posed, None)
        expected = scene.plain.avatar.find_surface(part.rays, part.posed, None)
        both = found.hit & expected.hit
        difference = (found.depth - expected.depth).abs()
        differences.append(difference[both])
        elsewhere = both & (difference > SAME_DEPTH)
        fast, paper = arbitrate(scene, part, found, expected, disputed(found, expected))
        counts = (
            len(part.rays),
            int(both.sum()),
            int((found.hit != expected.hit).sum()),
            int(elsewhere.sum()),
            int((fast & ~paper).sum()),
            int((paper & ~fast).sum()),
            int((fast == paper).sum()),
        )
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
    joined = torch.cat(differences)
    return Agreement(*totals, float(joined.quantile(0.5)), float(joined.quantile(0.99)))


def disputed(found: SurfaceHits, expected: SurfaceHits) -> Int[Tensor, " m"]:
    """Rays that only one search hits with, or whose depths differ by more than SAME_DEPTH."""
    elsewhere = found.hit & expected.hit & ((found.depth - expected.depth).abs() > SAME_DEPTH)
    return ((found.hit != expected.hit) | elsewhere).nonzero()[:, 0]


def arbitrate(
    scene: Scene, part: Rays, found: SurfaceHits, expected: SurfaceHits, rows: Int[Tensor, " m"]
) -> tuple[Bool[Tensor, " m"], Bool[Tensor, " m"]]:
    """Which of the disputed rows each search is right at, by a dense search from just before the first depth on."""
    rays = part.rays[rows]
    if len(rows) == 0:
        none = torch.zeros(0, dtype=torch.bool, device=rows.device)
        return none, none
    avatar, settings = scene.plain.avatar, scene.plain.avatar.search.correspondence
    bound, field = ReferenceDeformer(avatar.deformer, part.posed), avatar.field(part.posed)
    near, far, meets = ray_sphere_interval(rays.origins, rays.directions, avatar.search.radius)
    # From a little before the first depth that either search found: in front of it neither has seen anything.
    depths = torch.stack([torch.where(h.hit[rows], h.depth[rows], torch.inf) for h in (found, expected)])
    near = torch.maximum(near, depths.amin(dim=0) - DENSE_HALF_WIDTH)
    dense = find_surface(
        lambda x_d: find_canonical(bound, field, x_d, settings),
        rays,
        interval=(near, far, meets),
        n_samples=DENSE_SAMPLES,
        n_secant_steps=DENSE_SECANT_STEPS,
    )

    def right(hits: SurfaceHits) -> Bool[Tensor, " m"]:
        same = (hits.depth[rows] - dense.depth).abs() < SAME_DEPTH
        return (hits.hit[rows] == dense.hit) & (same | ~dense.hit)

    return right(found), right(expected)


@dataclass(frozen=True)
class ImageAgreement:
    """Of an image rendered by both searches: PSNR in dB of colours, normals and depths, infinite where all are equal.

    Peaks are 2, 2 and the depth of the head; where nothing is hit the depth is the farthest one. `right` is over the
    pixels without those at which a denser search sides with the fast one, whose share is `paper_wrong`.
    """

    pixels: int
    disputed: int
    paper_wrong: int
    everywhere: dict[str, float]
    right: dict[str, float]


@torch.no_grad()
def image_agreement(scene: Scene, frame: int, size: int, stride: int) -> ImageAgreement:
    """Every `stride`-th pixel of a frame, with the search that images are rendered with and with the paper's."""
    grid = pixel_grid(size, size).view(size, size, 2)[stride // 2 :: stride, stride // 2 :: stride].reshape(-1, 2)
    posed = rays_of(scene, frame, size, 2).posed
    grid = grid.to(posed.bone_transforms)
    rays = cast_rays(scene.camera(size), grid, torch.zeros_like(grid[:, 0]).long())
    part = Rays(posed, rays, None)
    searches = (build_image_search(scene.config), scene.plain.avatar.search)
    looks = [_rendered(scene.avatar, part, search) for search in searches]
    (found, fast), (expected, paper) = looks
    depths = expected.depth[expected.hit]
    far, extent = float(depths.max()), float(depths.max() - depths.min())
    for hits, images in looks:
        images["depths"] = torch.where(hits.hit, hits.depth, far)[:, None]
    rows = disputed(found, expected)
    fast_right, paper_right = arbitrate(scene, part, found, expected, rows)
    kept = torch.ones_like(found.hit)
    kept[rows[fast_right & ~paper_right]] = False
    peaks = {"colours": 2.0, "normals": 2.0, "depths": extent}

    def agree(where: Bool[Tensor, " n"]) -> dict[str, float]:
        return {name: psnr(fast[name][where], paper[name][where], peak) for name, peak in peaks.items()}

    return ImageAgreement(len(grid), len(rows), int((~kept).sum()), agree(torch.ones_like(kept)), agree(kept))


def psnr(image: Float[Tensor, "n c"], reference: Float[Tensor, "n c"], peak: float) -> float:
    """Peak signal-to-noise ratio, dB."""
    error = float((image - reference).square().mean())
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf


def _rendered(avatar: Avatar, part: Rays, search: Search) -> tuple[SurfaceHits, dict[str, Tensor]]:
    """Hits of a search, colours and normals there."""
    hits = search(avatar.for_frame(part.posed), avatar.field(part.posed), part.rays, None)
    shown = avatar.shade(part.rays, part.posed, hits, hits.hit)
    return hits, {"colours": shown.rgb, "normals": shown.normal}
