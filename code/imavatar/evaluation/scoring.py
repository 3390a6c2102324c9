"""The numbers of one frame, and of a sequence, under one protocol."""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.anatomy import HEAD_SCALE, Joint, pose_slice
from imavatar.data.dataset import FaceDataset, Frame
from imavatar.evaluation.flip import flip_available, flip_map
from imavatar.evaluation.keypoints import Detector, keypoint_error
from imavatar.evaluation.metrics import (
    Distance,
    change_error,
    depth_error,
    mask_iou,
    mean_absolute_error,
    normal_error,
    on_white,
    psnr,
    ssim,
)
from imavatar.evaluation.pairs import ColourPair
from imavatar.evaluation.protocols import Protocol, face_of
from imavatar.evaluation.surface_distance import Mesh, TrueMeshes, surface_distance
from imavatar.files.atomic import write_text
from imavatar.head.flame import Flame
from imavatar.rendering.camera import to_view_depth
from imavatar.rendering.image import RenderedImage
from imavatar.rendering.strips import colour_bytes
from imavatar.types import HeadParameters

MILLIMETRES = 1000.0
JAW = pose_slice(Joint.JAW).start
"""Of a pose: how far the jaw is open, radians."""
MESH_EVERY = 5
"""Surfaces are compared in every so many-th frame: a mesh takes as long as an image."""


@dataclass(frozen=True)
class Measure:
    """How a number is shown, and what it means."""

    label: str
    unit: str
    higher_is_better: bool
    digits: int
    meaning: str


MEASURES = {
    "mae": Measure("MAE", "", False, 4, "mean absolute difference of colours in [0, 1] over the protocol's pixels"),
    "psnr": Measure("PSNR", "dB", True, 2, "over the protocol's pixels"),
    "ssim": Measure("SSIM", "", True, 4, "11 x 11 Gaussian window, sigma 1.5, windows centred on these pixels"),
    "lpips": Measure("LPIPS", "", False, 4, "AlexNet, of the whole image with everything else white"),
    "flip": Measure("FLIP", "", False, 4, "mean over the protocol's pixels, 67 pixels a degree"),
    "expression_error": Measure(
        "expression", "px", False, 2, "68 landmarks detected on the rendering against those detected on the picture"
    ),
    "keypoint_error": Measure(
        "landmarks", "px", False, 2, "68 landmarks detected on the rendering against the projected ones"
    ),
    "normal_error": Measure("normals", "degrees", False, 2, "on the face, where the truth is exact"),
    "depth_error": Measure("depth", "mm", False, 2, "on the face, where the truth is exact"),
    "surface_distance": Measure(
        "surface", "mm", False, 2, f"two-way distance of what is seen of the face, every {MESH_EVERY}th frame"
    ),
    "mask_iou": Measure("mask IoU", "", True, 4, "rendered coverage above one half against the true mask"),
    "change_error": Measure("change", "", False, 4, "difference of the changes since the frame before"),
}


@dataclass(frozen=True)
class Scored:
    """One frame: where it stands, how strong its expression and how open its jaw is, and its numbers by name."""

    sub_dir: str
    frame: str
    strength: float
    jaw: float
    values: dict[str, float | None]


@dataclass(frozen=True)
class Tools:
    """Networks that some numbers need; without one its number is None."""

    lpips: Distance | None = None
    detect: Detector | None = None


def score_sequence(
    dataset: FaceDataset,
    flame: Flame,
    renderer,
    protocols: Sequence[Protocol],
    *,
    tools: Tools = Tools(),
    latent: Float[Tensor, "1 l"] | None = None,
    fit: Callable[[Frame], HeadParameters] | None = None,
    truth: TrueMeshes | None = None,
    mesh_resolution: int = 128,
    keep: Callable[[Frame, RenderedImage], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[Scored]]:
    """Render every frame once and score it under each protocol, by whose names the results are.

    Args:
        renderer: as `rendering.image.ImageRenderer`.
        fit: finds the parameters that a frame is rendered with, instead of its own.
        truth: the true meshes, where the recording has them.
        keep: told every frame and its rendering.
    """
    device = flame.v_template.device
    scored: dict[str, list[Scored]] = {protocol.name: [] for protocol in protocols}
    before: dict[str, ColourPair | None] = dict.fromkeys(scored)
    for index in range(len(dataset)):
        frame = dataset.frame(index)
        head = frame.head if fit is None else fit(frame)
        with torch.no_grad():
            posed = flame(head.to(device), latent)
            rendered = renderer.render(frame.camera.to(device), posed, dataset.height, dataset.width)
            shared = _geometry_scores(frame, rendered) | _landmark_scores(frame, rendered, tools.detect)
            if truth is not None and index % MESH_EVERY == 0:
                mesh = renderer.mesh(posed, mesh_resolution)
                found = Mesh(mesh.deformed.cpu(), mesh.faces.cpu())
                shared["surface_distance"] = surface_distance(found, truth.of(frame), frame, _known(frame))
        strength, jaw = float(frame.head.expression.norm()), float(frame.head.pose[0, JAW])
        for protocol in protocols:
            pair = ColourPair.of(frame, rendered, protocol.pixels(frame))
            values = shared | _colour_scores(pair, before[protocol.name], tools.lpips)
            scored[protocol.name].append(Scored(frame.sub_dir, frame.name, strength, jaw, values))
            before[protocol.name] = pair
        if keep is not None:
            keep(frame, rendered)
        if progress is not None:
            progress(index + 1, len(dataset))
    return scored


def _known(frame: Frame) -> Bool[Tensor, "h w"]:
    """Pixels of the face at which the true surface is the one that is seen."""
    face = face_of(frame)
    return face if frame.exact is None else face & frame.exact


def _colour_scores(pair: ColourPair, before: ColourPair | None, lpips: Distance | None) -> dict[str, float | None]:
    region, some = pair.region, bool(pair.region.any())
    found, true = on_white(pair.image, region), on_white(pair.truth, region)
    values = {
        "mae": mean_absolute_error(found, true, region),
        "psnr": psnr(found, true, region),
        "ssim": ssim(found, true, region),
        "lpips": float(lpips(2 * found - 1, 2 * true - 1)) if lpips is not None and some else None,
        "flip": float(flip_map(found, true)[region].mean()) if flip_available() and some else None,
    }
    if before is not None and before.sub_dir == pair.sub_dir:
        images, pictures = (before.image, pair.image), (before.truth, pair.truth)
        values["change_error"] = change_error(images, pictures, before.region | region)
    return values


def _geometry_scores(frame: Frame, rendered: RenderedImage) -> dict[str, float | None]:
    values = {"mask_iou": mask_iou(rendered.alpha.cpu() > 0.5, frame.foreground)}
    if frame.normals is not None:
        values["normal_error"] = normal_error(rendered.normal.cpu(), frame.normals, _known(frame))
    if frame.depth is not None:
        depth = to_view_depth(rendered.depth.cpu(), frame.camera) * (MILLIMETRES / HEAD_SCALE)
        values["depth_error"] = depth_error(depth, MILLIMETRES * frame.depth, _known(frame))
    return values


def _landmark_scores(frame: Frame, rendered: RenderedImage, detect: Detector | None) -> dict[str, float | None]:
    """None, once there is a detector, where it finds no face."""
    if detect is None:
        return {}
    drawing = colour_bytes(rendered.rgb)
    drawn, pictured = detect(drawing), detect(colour_bytes(frame.image))

    def distance(points) -> float | None:
        return None if points is None else keypoint_error(drawing, torch.as_tensor(points), lambda _: drawn)

    return {"keypoint_error": distance(frame.keypoints), "expression_error": distance(pictured)}


def mean_scores(scored: Sequence[Scored]) -> dict[str, float | None]:
    """Means over the frames where a number is defined; None where it is in none."""
    means = {}
    for name in MEASURES:
        values = [s.values[name] for s in scored if s.values.get(name) is not None]
        means[name] = math.fsum(values) / len(values) if values else None
    return means


def write_protocol(
    folder: Path, scored: Sequence[Scored], protocol: Protocol, *, size: tuple[int, int], fitted: bool
) -> Path:
    """`protocol_NAME[_fit].csv` with a line a frame and, last, `.json` with the means; both say what they are of."""
    name = f"protocol_{protocol.name}" + ("_fit" if fitted else "")
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["protocol", "sub_dir", "frame", "strength", "jaw", *MEASURES])
    for s in scored:
        cells = ["" if s.values.get(key) is None else f"{s.values[key]:.6g}" for key in MEASURES]
        writer.writerow([_label(protocol, fitted), s.sub_dir, s.frame, f"{s.strength:.4f}", f"{s.jaw:.4f}", *cells])
    write_text(folder / f"{name}.csv", text.getvalue())
    content = {
        "protocol": _label(protocol, fitted),
        "pixels": protocol.description,
        "size": list(size),
        "fitted": "expression and pose of every frame, to its picture" if fitted else "nothing",
        "frames": len(scored),
        "mean": mean_scores(scored),
        "meaning": {key: measure.meaning for key, measure in MEASURES.items()},
        "units": {key: measure.unit or "none" for key, measure in MEASURES.items()},
    }
    write_text(folder / f"{name}.json", json.dumps(content, indent=2) + "\n")
    return folder / f"{name}.json"


def _label(protocol: Protocol, fitted: bool) -> str:
    return protocol.name + (" with a fit to each picture" if fitted else "")
