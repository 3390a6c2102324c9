"""A test sequence and an avatar to images, metrics, a comparison video and a mesh."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imavatar.data.images import read_colour, write_png
from imavatar.data.mesh_file import write_ply
from imavatar.data.splits import SPLITS
from imavatar.data.subject import FrameRecord
from imavatar.data.subject_table import Frame, SubjectTable
from imavatar.data.video_file import write_video
from imavatar.evaluation.close_up import SHORTER_SIDE
from imavatar.evaluation.metrics import METRICS, PSNR_CAP, MetricInfo
from imavatar.evaluation.protocols import PROTOCOLS
from imavatar.evaluation.scoring import NO_NETWORKS, FrameScores, Networks, score
from imavatar.evaluation.tables import MetricSummary, markdown_table, summarise, text_table, write_protocol, write_rows
from imavatar.files.atomic import write_text
from imavatar.paths import command
from imavatar.rendering.character import Character
from imavatar.rendering.image import RenderedImage, SurfaceRenderer
from imavatar.rendering.image_export import colour_bytes, comparison_strip, normal_bytes, video_frame
from imavatar.types import PosedHead

FULL, MASK, FACE, EYES, MOUTH = EVALUATED = [PROTOCOLS[name] for name in ("full", "mask", "face", "eyes", "mouth")]
PROTOCOL = {
    "image": "all pixels; the truth is white outside its mask, the rendering where no surface is hit",
    "foreground": "both images white outside the true mask, averaged over the pixels of the mask",
    "face": "as the foreground, but of its pixels only those in the convex hull of the 68 projected landmarks",
    "eyes": f"{EYES.description}: LPIPS of the box around both, its shorter side enlarged to {SHORTER_SIDE} pixels",
    "mouth": f"{MOUTH.description}: LPIPS of the box around it, likewise",
    "mean": "over frames; frames where a metric is undefined are left out, frames_counted says how many remain",
    "psnr": f"equal images count as {PSNR_CAP:g} dB",
    "ssim": "11 x 11 Gaussian window, sigma 1.5, windows inside the image",
    "normal_error_face": "angle to the true normals, where both are known in the face's interior, without hair, beards "
    "and glasses where the recording says where they are; null without a truth",
    "depth_error_face": "absolute difference along the viewing direction, of the same pixels; null without a truth",
    "flip": "67 pixels a degree; null without its package",
    "change_error": "difference of the changes since the frame before, over the pixels of both frames' true masks",
    "mask_iou": "rendered coverage above one half against the true mask",
    "keypoint_error": "68 landmarks detected on the rendering against the projected ones of the head model",
}


@dataclass(frozen=True)
class Column:
    """A metric of one protocol, under the name that it has in an evaluation's tables."""

    name: str
    protocol: str
    metric: str
    info: MetricInfo


def _columns() -> Iterator[Column]:
    of_range = "of the range 0 to 1"
    for protocol, suffix, where in ((FULL, "", ""), (MASK, "_masked", ", foreground"), (FACE, "_face", ", face")):
        for metric in ("psnr", "ssim", "mae", "lpips", "flip"):
            info = METRICS[metric]
            unit = of_range if metric == "mae" else info.unit
            yield Column(metric + suffix, protocol.name, metric, replace(info, label=info.label + where, unit=unit))
    for protocol in (EYES, MOUTH):
        for metric in ("psnr", "lpips"):
            info = replace(METRICS[metric], label=f"{METRICS[metric].label}, {protocol.name}")
            yield Column(f"{metric}_{protocol.name}", protocol.name, metric, info)
    change = replace(METRICS["change_error"], label="change between frames, foreground", unit=of_range)
    yield Column("change_error", MASK.name, "change_error", change)
    yield Column("mask_iou", MASK.name, "mask_iou", METRICS["mask_iou"])
    for metric in ("normal_error", "depth_error"):
        info = METRICS[metric]
        yield Column(f"{metric}_face", FACE.name, metric, replace(info, label=f"{info.label}, face"))
    keypoints = replace(METRICS["keypoint_error"], label="keypoint error", unit="pixels")
    yield Column("keypoint_error", FULL.name, "keypoint_error", keypoints)


COLUMNS = {column.name: column for column in _columns()}
"""Of an evaluation's tables: full image, foreground, face, eyes and mouth side by side."""


@dataclass(frozen=True)
class OutputSettings:
    """Cells along the mesh's longest side, and the video's frames a second."""

    mesh_resolution: int = 192
    fps: float = 25.0


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        scores: of the frames, by the protocols' names.
        rows: the scores of all protocols side by side, by the names of `COLUMNS`.
        metrics: the rows' means, and more of them.
        notes: what was held out, where that is known, and why numbers are missing.
    """

    folder: Path
    scores: dict[str, list[FrameScores]]
    rows: tuple[FrameScores, ...]
    metrics: tuple[MetricSummary, ...]
    notes: tuple[str, ...]

    @property
    def mean(self) -> dict[str, float | None]:
        """Every metric's mean by name; None where it is not available."""
        return {metric.name: metric.mean for metric in self.metrics}

    def table(self) -> str:
        """The metrics and remarks for a terminal."""
        return "\n".join([text_table(self.metrics), *(f"note: {note}" for note in self.notes)])


def evaluate(
    character: Character,
    dataset: SubjectTable,
    renderer: SurfaceRenderer,
    out: Path,
    *,
    networks: Networks = NO_NETWORKS,
    pose: Callable[[Frame], PosedHead] | None = None,
    settings: OutputSettings = OutputSettings(),
) -> Evaluation:
    """Render every frame of a test sequence, compare it with the truth, and write all results into `out`.

    Writes rgb/, normal/ and combined/ (truth, rendering, normals), comparison.mp4, mesh.ply (the first frame's pose),
    protocol_{full,mask,face,eyes,mouth}.csv and .json, per_frame.csv, metrics.txt, metrics.md and, last, metrics.json:
    where that is, the rest is complete. A data set without images gives no metric but the keypoint error, and no
    protocol's files.

    Args:
        pose: what a frame is rendered with, instead of its own parameters.

    Raises:
        ImavatarError: the avatar has no surface, or a file of the recording is damaged.
    """
    (out / "combined").mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").unlink(missing_ok=True)
    pose = pose or (lambda frame: character.pose(frame.head))
    mesh = renderer.mesh(pose(dataset.frame(0)), settings.mesh_resolution)
    write_ply(out / "mesh.ply", mesh.deformed.cpu().numpy(), mesh.faces.cpu().numpy(), colour_bytes(mesh.colours))
    names = []

    def keep(frame: Frame, rendered: RenderedImage) -> None:
        names.append(image_name(dataset, frame))
        write_images(out, names[-1], rendered)
        write_png(out / "combined" / names[-1], comparison_strip(frame.image, rendered))

    scores = score(character, dataset, renderer, EVALUATED, networks=networks, pose=pose, keep=keep)
    # Read again one by one: a long sequence need not fit into memory.
    strips = (video_frame(read_colour(out / "combined" / name, "combined image")) for name in names)
    write_video(out / "comparison.mp4", strips, settings.fps)
    rows = tuple(_side_by_side(scores))
    metrics = tuple(summarise(rows, {name: column.info for name, column in COLUMNS.items()}))
    evaluation = Evaluation(out, scores, rows, metrics, tuple(_notes(dataset, metrics, networks)))
    if not dataset.only_json:
        size = (dataset.height, dataset.width)
        for protocol in EVALUATED:
            write_protocol(out, scores[protocol.name], protocol, size=size, split=dataset.split)
    _write_tables(evaluation, dataset.split)
    return evaluation


def image_name(dataset: SubjectTable, frame: Frame | FrameRecord) -> str:
    """The file of a frame's rendering; frames of several recordings may have the same name."""
    several = len({record.sub_dir for record in dataset.records}) > 1
    return f"{frame.sub_dir}_{frame.name}.png" if several else f"{frame.name}.png"


def write_images(out: Path, name: str, rendered: RenderedImage) -> None:
    """Write a rendering and its normals into the folders `rgb` and `normal`."""
    normal = normal_bytes(rendered.normal, rendered.alpha)
    for folder, image in (("rgb", colour_bytes(rendered.rgb)), ("normal", normal)):
        (out / folder).mkdir(parents=True, exist_ok=True)
        write_png(out / folder / name, image)


def _side_by_side(scores: Mapping[str, Sequence[FrameScores]]) -> Iterator[FrameScores]:
    """The frames with the metrics of all protocols, those that they have."""
    for frames in zip(*scores.values(), strict=True):
        own = {name: frame.values for name, frame in zip(scores, frames, strict=True)}
        had = (c for c in COLUMNS.values() if c.metric in own[c.protocol])
        yield replace(frames[0], values={c.name: own[c.protocol][c.metric] for c in had})


def _notes(dataset: SubjectTable, metrics: Sequence[MetricSummary], networks: Networks) -> Iterator[str]:
    if dataset.split in SPLITS:
        yield f"split {dataset.split}: held out is {SPLITS[dataset.split]}"
    if dataset.only_json:
        yield "no image metrics: the test sequence was read without its images"
    elif networks.lpips is None:
        yield f"LPIPS is null: its weights are not there; fetch them with `{command('fetch_assets')}`"
    found = next(metric.n_frames for metric in metrics if metric.name == "keypoint_error")
    if networks.detect is None:
        yield (
            "keypoint error is null: there is no landmark detector; install the `preprocess` extra and "
            f"fetch its models with `{command('fetch_assets')}`"
        )
    elif found < len(dataset):
        yield f"keypoint error: a face was found in {found} of {len(dataset)} renderings"


def _write_tables(evaluation: Evaluation, split: str | None) -> None:
    folder, metrics = evaluation.folder, evaluation.metrics
    rows = (((row.sub_dir, row.frame), row.values) for row in evaluation.rows)
    write_rows(folder / "per_frame.csv", ("sub_dir", "frame"), rows, COLUMNS)
    write_text(folder / "metrics.txt", evaluation.table() + "\n")
    write_text(folder / "metrics.md", markdown_table(metrics) + "\n")
    content = {
        "n_frames": len(evaluation.rows),
        "split": split,
        "mean": evaluation.mean,
        "standard_deviation": {m.name: m.deviation for m in metrics},
        "frames_counted": {m.name: m.n_frames for m in metrics},
        "units": {name: column.info.unit or "none" for name, column in COLUMNS.items()},
        "protocol": PROTOCOL,
        "notes": list(evaluation.notes),
    }
    write_text(folder / "metrics.json", json.dumps(content, indent=2) + "\n")
