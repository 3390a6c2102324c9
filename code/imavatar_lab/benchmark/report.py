"""All measurements in order, as a table and as a tree for a JSON file."""

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from imavatar_lab.benchmark import flop_bound, measure
from imavatar_lab.benchmark.agreement import SAME_DEPTH, agreement, image_agreement
from imavatar_lab.benchmark.call_counters import Evaluations
from imavatar_lab.benchmark.scene import Scene
from imavatar_lab.benchmark.timing import Seconds, matrix_product

REFERENCE_MATRIX_PRODUCT, REFERENCE_SEARCH = 1.9, 109.0
"""CPU seconds of a 4096 x 4096 product and of the authors' search of 2048 rays on one and the same machine."""
REFERENCE_RAYS = 2048
SETTLING_STEPS, FAST_STEPS = 24, 12
IMAGE_CHUNK = 16384
RAYS_GROWTH, SIZE_GROWTH = (0.25, 0.5, 1, 2, 4), (0.5, 1, 2)
"""Of the asked numbers of rays, and of the image's side."""


@dataclass(frozen=True)
class Settings:
    """What is measured; `paper = False` leaves the slow side out."""

    n_rays: int = 2048
    size: int = 256
    repeats: int = 3
    stride: int = 8
    agreement_frames: int = 4
    agreement_images: int = 2
    paper: bool = True


@dataclass
class Report:
    """The table, handed to `emit` line by line, and its numbers."""

    emit: Callable[[str], None]
    values: dict = field(default_factory=dict)

    def row(self, key: str, label: str, seconds: Seconds, note: str = "") -> None:
        """A cost."""
        self.values[key] = asdict(seconds)
        self.say(f"{label:<52}{seconds.cpu:>10.3f}{seconds.wall:>10.3f}  {note}")

    def ratio(self, key: str, label: str, slow: Seconds, fast: Seconds) -> None:
        """How many times the CPU seconds of one are those of the other."""
        self.values[key] = slow.cpu / fast.cpu
        self.say(f"{label:<52}{slow.cpu / fast.cpu:>9.1f}x{slow.wall / fast.wall:>9.1f}x")

    def say(self, line: str) -> None:
        """A line, at once: what follows may take minutes."""
        self.emit(line.rstrip())


@dataclass(frozen=True)
class _State:
    """The avatar's weights and the frames' parameters: training steps move both; what follows them starts anew."""

    avatar: dict[str, Tensor]
    frames: dict[str, Tensor]

    @classmethod
    def of(cls, scene: Scene) -> "_State":
        modules = (scene.avatar, scene.run.frames)
        return cls(*({name: value.clone() for name, value in m.state_dict().items()} for m in modules))

    def restore(self, scene: Scene) -> None:
        scene.avatar.load_state_dict(self.avatar)
        scene.run.frames.load_state_dict(self.frames)
        scene.avatar.search.reset()


def run_benchmark(scene: Scene, settings: Settings, emit: Callable[[str], None]) -> dict:
    """Measure; lines of the table are emitted as they are known. Returns all numbers."""
    report, device = Report(emit), scene.flame.v_template.device
    n, size, repeats = settings.n_rays, settings.size, settings.repeats
    product = matrix_product(repeats, device)
    report.values["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    report.values["settings"] = asdict(settings)
    report.say(
        f"{torch.get_num_threads()} threads, device {device}, torch {torch.__version__}, {n} rays, {size} x {size}"
    )
    report.say(f"{'':<52}{'CPU s':>10}{'wall s':>10}")
    report.row("matrix_product", "product of two 4096 x 4096 matrices", product)
    weights = scene.config.loss

    start = _State.of(scene)
    # Adam's first steps move every weight by the whole rate: what is typical comes after them.
    measure.iterations(scene, scene.run, weights, size, n, n_steps=SETTLING_STEPS, repeats=1)
    steps = measure.iterations(scene, scene.run, weights, size, n, n_steps=FAST_STEPS, repeats=repeats)
    memory = measure.peak_memory()
    report.row("fast/iteration", "fast: whole iteration, the mesh's refreshes included", steps.iteration)
    report.row("fast/search_of_iteration", "fast: the search in it", steps.search, _ages(steps.proxy))
    cost = flop_bound.NetworkCosts.of(scene.avatar)
    _floor(report, cost, steps, product)
    report.values["peak_memory_bytes"] = memory
    if memory is not None:
        report.say(f"{'peak memory so far':<52}{memory / 1e9:>10.2f} GB")
    start.restore(scene)

    fast, image = _fast(scene, settings)
    if settings.paper:
        paper = _paper(report, scene, settings, product)
        start.restore(scene)
        # A machine's speed drifts over minutes: the fast side is measured before the paper's and after it.
        again, image_again = _fast(scene, settings)
        fast, image = fast.averaged(again), image.averaged(image_again)
    report.row("fast/search", "fast: search of a training step", fast.training, _counts(fast.evaluations))
    report.row("fast/search_evaluation", "fast: search without a mask", fast.evaluation)
    report.values["fast/evaluations"] = asdict(fast.evaluations)
    report.row("fast/image", f"fast: image {size} x {size}", image)
    if settings.paper:
        report.ratio("ratio/search", "search, paper / fast", paper.search, fast.training)
        report.ratio("ratio/search_evaluation", "search without a mask, paper / fast", paper.search, fast.evaluation)
        report.ratio(
            "ratio/search_contracted", "search, paper with contraction / fast", paper.contracted, fast.training
        )
        report.ratio("ratio/iteration", "whole iteration, paper / fast", paper.iteration, steps.iteration)
        report.ratio("ratio/image", "image, paper / fast", paper.image, image)
        _agreement(report, scene, settings)
    for rays in (max(1, round(factor * n)) for factor in RAYS_GROWTH):
        grown = measure.iterations(scene, scene.run, weights, size, rays, n_steps=FAST_STEPS, repeats=1)
        report.row(f"growth/rays_{rays}", f"fast: iteration of {rays} rays", grown.iteration)
    start.restore(scene)
    for side in (max(1, round(factor * size)) for factor in SIZE_GROWTH):
        report.row(
            f"growth/size_{side}",
            f"fast: image {side} x {side}",
            measure.fast_image(scene, side, repeats, IMAGE_CHUNK),
        )
    return report.values


def _floor(report: Report, cost: flop_bound.NetworkCosts, steps: measure.StepCosts, product: Seconds) -> None:
    search = flop_bound.search_multiply_adds(cost, steps.rays)
    step = flop_bound.step_multiply_adds(cost, steps.rays)
    least = flop_bound.seconds(search + step, product)
    report.values["multiply_adds"] = {"search": search, "step": step, "rays": asdict(steps.rays)}
    counts = f"{steps.rays.surface} surface points, {steps.rays.masked} of {steps.rays.missed} others in the mask loss"
    report.row("floor", "floor: its matrix products at the speed above", least, counts)
    report.ratio("iteration_over_floor", "iteration / floor", steps.iteration, least)


def _fast(scene: Scene, settings: Settings) -> tuple[measure.SearchCosts, Seconds]:
    """The fast search and image."""
    search = measure.fast_search(scene, settings.size, settings.n_rays, settings.repeats)
    return search, measure.fast_image(scene, settings.size, settings.repeats, IMAGE_CHUNK)


@dataclass(frozen=True)
class PaperCosts:
    """Of the paper's search, the same with contracted blendshapes, a whole iteration and an image."""

    search: Seconds
    contracted: Seconds
    iteration: Seconds
    image: Seconds


def _paper(report: Report, scene: Scene, settings: Settings, product: Seconds) -> PaperCosts:
    """Measure the paper's side; its weights move."""
    n, size, weights = settings.n_rays, settings.size, scene.config.loss
    search, evaluations = measure.paper_search(scene, size, n, max(1, settings.repeats // 2), plain=True)
    report.row("paper/search", "paper: search of a training step", search, _counts(evaluations))
    report.values["paper/evaluations"] = asdict(evaluations)
    if n == REFERENCE_RAYS:
        expected = REFERENCE_SEARCH * product.cpu / REFERENCE_MATRIX_PRODUCT
        report.values["paper/search_over_reference"] = search.cpu / expected
        report.say(f"{'  over the authors own, scaled by the matrix product':<52}{search.cpu / expected:>9.2f}x")
    contracted, _ = measure.paper_search(scene, size, n, 1, plain=False)
    report.row("paper/search_contracted", "paper: search, blendshapes contracted", contracted)
    whole = measure.iterations(scene, scene.plain, weights, size, n, n_steps=1, repeats=1)
    report.row("paper/iteration", "paper: whole iteration, plain step", whole.iteration)
    image, n_pixels = measure.paper_image(scene, size, settings.stride)
    report.row("paper/image", f"paper: image {size} x {size}", image, f"from {n_pixels} of its pixels")
    return PaperCosts(search, contracted, whole.iteration, image)


def _agreement(report: Report, scene: Scene, settings: Settings) -> None:
    found = agreement(scene, settings.size, settings.n_rays, settings.agreement_frames)
    report.values["agreement"] = asdict(found)
    report.say(
        f"agreement: {found.rays} rays, {found.hits} hits of both searches; {found.other_hits} hits of one only, "
        f"{found.other_depths} depths differ by more than {SAME_DEPTH}; of these a denser search sides with the fast "
        f"one at {found.fast_right}, with the paper's at {found.paper_right}, with both or neither at "
        f"{found.undecided}; difference of depths: median {found.median_difference:.1e}, 99 % {found.difference_99:.1e}"
    )
    for frame in range(settings.agreement_images):
        image = image_agreement(scene, frame, settings.size, max(1, settings.stride // 2))
        report.values[f"agreement/image_{frame}"] = asdict(image)
        report.say(
            f"image {frame}, {image.pixels} pixels: {_decibels(image.everywhere)}; without the {image.paper_wrong} of "
            f"{image.disputed} disputed pixels where a denser search sides with the fast one: {_decibels(image.right)}"
        )


def _decibels(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f} dB" for name, value in values.items())


def _counts(evaluations: Evaluations) -> str:
    return (
        f"{evaluations.deformer:,} deformer points ({evaluations.deformer_jacobian:,} Jacobians), "
        f"{evaluations.geometry:,} geometry points ({evaluations.geometry_gradient:,} gradients)"
    )


def _ages(proxy: dict[str, float]) -> str:
    if not proxy:
        return ""
    return f"mesh made {proxy['proxy_rebuilt']:.0f}x, moved {proxy['proxy_moved']:.0f}x"
