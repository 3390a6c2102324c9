"""A test sequence and an avatar to images, metrics, a comparison video and a mesh."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from imavatar.anatomy import HEAD_SCALE
from imavatar.data.dataset import FaceDataset, Frame
from imavatar.data.images import read_colour, write_png
from imavatar.data.mesh_file import write_ply
from imavatar.data.video_file import write_video
from imavatar.evaluation.face_interior import face_interior
from imavatar.evaluation.flip import flip_available, flip_metrics
from imavatar.evaluation.keypoints import Detector, keypoint_error
from imavatar.evaluation.metrics import (
    METRICS,
    PSNR_CAP,
    Distance,
    change_error,
    depth_error,
    image_metrics,
    mask_iou,
    normal_error,
)
from imavatar.evaluation.pairs import ColourPair
from imavatar.evaluation.tables import (
    FrameScores,
    MetricSummary,
    markdown_table,
    summarise,
    text_table,
    write_scores,
)
from imavatar.files.atomic import write_text
from imavatar.head.flame import Flame
from imavatar.rendering.camera import to_view_depth
from imavatar.rendering.image import ImageRenderer, RenderedImage
from imavatar.rendering.strips import colour_bytes, comparison_strip, normal_bytes, video_frame
from imavatar.rendering.surface_mesh import SurfaceMesh

FRAMES_PER_SECOND = 25.0
MILLIMETRES = 1000.0
IMAGE_FOLDERS = ("rgb", "normal", "combined")
PROTOCOL = {
    "image": "all pixels; the truth is white outside its mask, the rendering where no surface is hit",
    "foreground": "both images white outside the true mask, averaged over the pixels of the mask",
    "face": "as the foreground, but of its pixels only those in the convex hull of the 68 projected landmarks",
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
class Summary:
    """The result of an evaluation: metrics over frames, remarks, and the files by name."""

    scores: tuple[FrameScores, ...]
    metrics: tuple[MetricSummary, ...]
    notes: tuple[str, ...]
    files: dict[str, Path]

    @property
    def mean(self) -> dict[str, float | None]:
        """Every metric's mean by name; None where it is not available."""
        return {metric.name: metric.mean for metric in self.metrics}

    def table(self) -> str:
        """The metrics and remarks for a terminal."""
        return "\n".join([text_table(self.metrics), *(f"note: {note}" for note in self.notes)])


def evaluate(
    dataset: FaceDataset,
    flame: Flame,
    renderer: ImageRenderer,
    out: Path,
    *,
    lpips: Distance | None = None,
    detect: Detector | None = None,
    latent: Float[Tensor, "k l"] | None = None,
    progress: Callable[[int, int], None] | None = None,
    fps: float = FRAMES_PER_SECOND,
    mesh_resolution: int = 192,
) -> Summary:
    """Render every frame of a test sequence, compare it with the truth, and write all results into `out`.

    Writes rgb/, normal/ and combined/ (truth, rendering, normals), comparison.mp4, mesh.ply (the first frame's
    pose), per_frame.csv, metrics.txt, metrics.md and, last, metrics.json: where that is, the rest is complete.
    A data set without images gives no metrics but the keypoint error.

    Args:
        lpips, detect: the networks for LPIPS and landmarks; without them these metrics are null.
        latent: for avatars that have latent codes, one for all frames, or one for each.
        progress: told after every frame how many of how many are done.
    """
    files = _prepare(out)
    device = flame.v_template.device
    scores, names, before = [], [], None
    for index in range(len(dataset)):
        frame = dataset.frame(index)
        own = latent if latent is None or len(latent) == 1 else latent[index : index + 1]
        posed = flame(frame.head.to(device), own)
        rendered = renderer.render(frame.camera.to(device), posed, dataset.height, dataset.width)
        names.append(_write_images(out, frame, rendered, prefixed=_several_folders(dataset)))
        pair = None if frame.image is None else ColourPair.of(frame, rendered, frame.foreground)
        scores.append(_score(frame, rendered, pair, before, lpips, detect))
        before = pair
        if index == 0:
            _write_mesh(files["mesh"], renderer.mesh(posed, mesh_resolution))
        if progress is not None:
            progress(index + 1, len(dataset))
    write_video(files["comparison"], _strips(out, names), fps)
    metrics = tuple(summarise(scores))
    notes = tuple(_notes(dataset, metrics, lpips, detect))
    summary = Summary(tuple(scores), metrics, notes, files)
    _write_summary(summary)
    return summary


def _prepare(out: Path) -> dict[str, Path]:
    """The folders, without the mark of an earlier evaluation's completeness; the files to be written."""
    for folder in IMAGE_FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    files = {
        "comparison": out / "comparison.mp4",
        "mesh": out / "mesh.ply",
        "per_frame": out / "per_frame.csv",
        "table": out / "metrics.txt",
        "markdown": out / "metrics.md",
        "metrics": out / "metrics.json",
    }
    files["metrics"].unlink(missing_ok=True)
    return files


def _several_folders(dataset: FaceDataset) -> bool:
    """Whether frames of several recordings may have the same name."""
    return len({name.rsplit("/", 1)[0] for name in dataset.names}) > 1


def _write_images(out: Path, frame: Frame, rendered: RenderedImage, *, prefixed: bool) -> str:
    """Write the three images of a frame; returns their file name."""
    name = f"{frame.sub_dir}_{frame.name}.png" if prefixed else f"{frame.name}.png"
    write_png(out / "rgb" / name, colour_bytes(rendered.rgb))
    write_png(out / "normal" / name, normal_bytes(rendered.normal, rendered.alpha))
    write_png(out / "combined" / name, comparison_strip(frame.image, rendered))
    return name


def _score(
    frame: Frame,
    rendered: RenderedImage,
    pair: ColourPair | None,
    before: ColourPair | None,
    lpips: Distance | None,
    detect: Detector | None,
) -> FrameScores:
    """The metrics of a frame; without its image only the keypoint error. `before` is the frame before this one."""
    values = {}
    if pair is not None:
        face = face_interior(frame.keypoints, *frame.foreground.shape)
        values = image_metrics(pair.image, pair.truth, frame.foreground, face, lpips)
        if flip_available():
            values |= flip_metrics(pair.image, pair.truth, frame.foreground, face)
        if before is not None and before.sub_dir == pair.sub_dir:
            images, truths = (before.image, pair.image), (before.truth, pair.truth)
            values["change_error"] = change_error(images, truths, before.region | pair.region)
        values["mask_iou"] = mask_iou(rendered.alpha.cpu() > 0.5, frame.foreground)
        known = face & frame.foreground if frame.exact is None else face & frame.foreground & frame.exact
        if frame.normals is not None:
            values["normal_error_face"] = normal_error(rendered.normal.cpu(), frame.normals, known)
        if frame.depth is not None:
            depth = to_view_depth(rendered.depth.cpu(), frame.camera) * (MILLIMETRES / HEAD_SCALE)
            values["depth_error_face"] = depth_error(depth, MILLIMETRES * frame.depth, known)
    values["keypoint_error"] = keypoint_error(colour_bytes(rendered.rgb), frame.keypoints, detect)
    return FrameScores(frame.sub_dir, frame.name, values)


def _write_mesh(path: Path, mesh: SurfaceMesh) -> None:
    vertices, faces = mesh.deformed.cpu().numpy(), mesh.faces.cpu().numpy()
    write_ply(path, vertices, faces, colour_bytes(mesh.colours))


def _strips(out: Path, names: Sequence[str]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The combined images, read again one by one: a long sequence need not fit into memory."""
    for name in names:
        yield video_frame(read_colour(out / "combined" / name, "combined image"))


def _notes(
    dataset: FaceDataset,
    metrics: Sequence[MetricSummary],
    lpips: Distance | None,
    detect: Detector | None,
) -> Iterator[str]:
    """Why numbers are missing."""
    if dataset.only_json:
        yield "no image metrics: the test sequence was read without its images"
    elif lpips is None:
        yield "LPIPS is null: its weights are not there; fetch them with `python scripts/fetch_assets.py`"
    found = next(metric.n_frames for metric in metrics if metric.name == "keypoint_error")
    if detect is None:
        yield (
            "keypoint error is null: there is no landmark detector; install the `preprocess` extra and "
            "fetch its models with `python scripts/fetch_assets.py`"
        )
    elif found < len(dataset):
        yield f"keypoint error: a face was found in {found} of {len(dataset)} renderings"


def _write_summary(summary: Summary) -> None:
    write_scores(summary.files["per_frame"], summary.scores)
    write_text(summary.files["table"], summary.table() + "\n")
    write_text(summary.files["markdown"], markdown_table(summary.metrics) + "\n")
    content = {
        "n_frames": len(summary.scores),
        "mean": summary.mean,
        "standard_deviation": {m.name: m.deviation for m in summary.metrics},
        "frames_counted": {m.name: m.n_frames for m in summary.metrics},
        "units": {name: info.unit or "none" for name, info in METRICS.items()},
        "protocol": PROTOCOL,
        "notes": list(summary.notes),
    }
    write_text(summary.files["metrics"], json.dumps(content, indent=2) + "\n")
