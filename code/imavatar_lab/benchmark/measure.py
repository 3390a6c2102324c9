"""The measurements, each of both sides on the same weights, head, frames and rays."""

import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch

from imavatar.losses import has_mask_gradient
from imavatar.rendering.avatar import Avatar, Search
from imavatar.rendering.camera import cast_rays, pixel_grid
from imavatar.rendering.image import ImageRenderer
from imavatar.training.objective import LossWeights
from imavatar.training.step import Run, StepLosses, training_step
from imavatar.types import PosedHead, RayBundle, SurfaceHits
from imavatar_lab.benchmark import flop_bound
from imavatar_lab.benchmark.call_counters import Evaluations, counted
from imavatar_lab.benchmark.reference import ReferenceDeformer
from imavatar_lab.benchmark.scene import N_FRAMES, Scene
from imavatar_lab.benchmark.timing import Seconds, Stopwatch, timed

CALLS = 12
"""Fast searches and steps that are timed together: what happens only now and then, as posing the mesh anew, counts."""


@dataclass(frozen=True)
class Rays:
    """One frame's rays as a search sees them."""

    posed: PosedHead
    rays: RayBundle
    foreground: torch.Tensor


def rays_of(scene: Scene, frame: int, size: int, n_rays: int, draw: int = 0) -> Rays:
    """The rays of `Scene.batch`, with the head posed."""
    batch = scene.batch(frame, size, n_rays, draw).to(scene.flame.v_template.device)
    with torch.no_grad():
        posed = scene.flame(scene.head(frame), scene.run.frames.latent(batch.frame))
        rays = cast_rays(scene.run.frames.camera(batch.frame, batch.camera), batch.pixels, batch.rays_frame)
    return Rays(posed, rays, batch.foreground)


@dataclass(frozen=True)
class SearchCosts:
    """Of one search of a training step, and of one without a mask, as images take it."""

    training: Seconds
    evaluation: Seconds
    evaluations: Evaluations

    def averaged(self, other: "SearchCosts") -> "SearchCosts":
        """The mean times of both."""
        return SearchCosts(
            self.training.averaged(other.training), self.evaluation.averaged(other.evaluation), self.evaluations
        )


def fast_search(scene: Scene, size: int, n_rays: int, repeats: int) -> SearchCosts:
    """The proxy search on all frames in turn; its mesh is there already."""
    avatar, frames = scene.avatar, [rays_of(scene, frame, size, n_rays) for frame in range(N_FRAMES)]

    def search(training: bool) -> Callable[[], None]:
        def calls() -> None:
            for call in range(CALLS):
                part = frames[call % N_FRAMES]
                avatar.find_surface(part.rays, part.posed, part.foreground if training else None)

        return calls

    avatar.search.reset()
    search(True)()
    first = frames[0]
    bound, field = avatar.deformer.for_frame(first.posed), avatar.field(first.posed)
    with torch.no_grad():
        _, evaluations = counted(avatar.search, bound, field, first.rays, first.foreground)
    return SearchCosts(
        timed(search(True), repeats, units=CALLS), timed(search(False), repeats, units=CALLS), evaluations
    )


def paper_search(scene: Scene, size: int, n_rays: int, repeats: int, *, plain: bool) -> tuple[Seconds, Evaluations]:
    """The paper's search in a training step.

    Args:
        plain: every point's blendshapes in full, as the paper; otherwise contracted with the frame's parameters.
    """
    part, avatar = rays_of(scene, 0, size, n_rays), scene.plain.avatar
    bound = (ReferenceDeformer if plain else type(avatar.deformer.for_frame(part.posed)))(avatar.deformer, part.posed)
    field, found = avatar.field(part.posed), []

    @torch.no_grad()
    def search() -> None:
        found.append(counted(avatar.search, bound, field, part.rays, part.foreground)[1])

    seconds = timed(search, repeats)
    return seconds, found[0]


@dataclass(frozen=True)
class StepCosts:
    """Of whole iterations and the searches in them; rays of the last one."""

    iteration: Seconds
    search: Seconds
    rays: flop_bound.RayCounts
    proxy: dict[str, float]


class _TimedSearch:
    """A search that notes its time."""

    def __init__(self, search: Search):
        self.search, self.watch, self.hits = search, Stopwatch(), None

    def __call__(self, *args) -> SurfaceHits:
        with self.watch:
            self.hits = self.search(*args)
        return self.hits


def iterations(
    scene: Scene, run: Run, weights: LossWeights, size: int, n_rays: int, *, n_steps: int, repeats: int
) -> StepCosts:
    """Training steps with both optimisers, the mesh's refreshes included; the weights move."""
    search, runs = run.avatar.search, []
    timed_search = _TimedSearch(search)
    batches = [scene.batch(step % N_FRAMES, size, n_rays, draw=step) for step in range(n_steps)]
    generator = torch.Generator().manual_seed(0)
    losses = StepLosses(run.avatar, scene.objective)
    run.avatar.search = timed_search
    try:
        for _ in range(repeats):
            timed_search.watch = Stopwatch()
            with Stopwatch() as whole:
                for batch in batches:
                    training_step(run, losses, batch, weights, generator)
            runs.append((whole, timed_search.watch))
    finally:
        run.avatar.search = search
    whole, found = sorted(runs, key=lambda pair: pair[0].cpu)[(len(runs) - 1) // 2]
    hits, foreground = timed_search.hits, batches[-1].foreground.to(timed_search.hits.hit.device)
    counts = flop_bound.RayCounts.of(hits, hits.hit & foreground, has_mask_gradient(hits, foreground, weights.alpha))
    return StepCosts(
        Seconds(whole.cpu, whole.wall).times(1 / n_steps),
        Seconds(found.cpu, found.wall).times(1 / n_steps),
        counts,
        search.statistics(),
    )


@torch.no_grad()
def fast_image(scene: Scene, size: int, repeats: int, chunk: int) -> Seconds:
    """Images of all frames in turn, as in a video: the canonical mesh is there already."""
    renderer = ImageRenderer(scene.avatar, chunk=chunk)
    posed = [rays_of(scene, frame, size, 2).posed for frame in range(N_FRAMES)]
    camera = scene.camera(size)
    renderer.render(camera, posed[0], size, size)
    turn = iter(range(1, repeats + 1))
    return timed(lambda: renderer.render(camera, posed[next(turn) % N_FRAMES], size, size), repeats)


def paper_image(scene: Scene, size: int, stride: int) -> tuple[Seconds, int]:
    """Every `stride`-th pixel both ways, searched and shaded plainly; seconds of the whole image by their number."""
    avatar: Avatar = scene.plain.avatar
    grid = pixel_grid(size, size).view(size, size, 2)[stride // 2 :: stride, stride // 2 :: stride].reshape(-1, 2)
    posed = rays_of(scene, 0, size, 2).posed
    frame = torch.zeros(len(grid), dtype=torch.long, device=posed.bone_transforms.device)
    rays = cast_rays(scene.camera(size), grid.to(posed.bone_transforms), frame)

    def render() -> None:
        hits = avatar.find_surface(rays, posed, None)
        hit = hits.hit
        avatar.shade(rays[hit], posed, hits[hit], hit[hit])

    return timed(render, 1).times(size * size / len(grid)), len(grid)


def peak_memory() -> int | None:
    """Most bytes that this process has had in memory at once so far; None where the system does not say."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
