"""Pictures of a frame for the eye: the image, the head over it, landmarks and box, mask and semantics."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import Frame
from imavatar.data_check.head_view import TrackedHead, landmark_pairs
from imavatar.head.flame import Flame
from imavatar.numerics.rasterize import rasterize, vertex_normals
from imavatar.rendering.camera import project, view_depth

RECORDED = (255, 60, 60)
PROJECTED = (60, 230, 60)
BOX = (255, 210, 0)
EDGE = (255, 0, 255)
MESH = np.array([215.0, 195.0, 175.0])
OPACITY = 0.65
LIGHT = np.array([0.35, 0.4, 0.85])
LEAST_SIDE = 256
CLASS_COLOURS = {
    SemanticClass.SKIN: (230, 190, 160),
    SemanticClass.EYES: (40, 90, 255),
    SemanticClass.BROWS: (120, 70, 20),
    SemanticClass.MOUTH_INTERIOR: (130, 0, 60),
    SemanticClass.UPPER_LIP: (255, 60, 100),
    SemanticClass.LOWER_LIP: (255, 140, 160),
    SemanticClass.HAIR: (80, 160, 60),
    SemanticClass.CLOTH: (60, 190, 200),
}


def frame_figure(frame: Frame, head: TrackedHead, flame: Flame) -> UInt8[np.ndarray, "h w 3"]:
    """Three pictures beside each other: image; head, landmarks and box over it; mask's edge and semantic classes."""
    image = np.round((frame.image.numpy() + 1) * 127.5).astype(np.uint8)
    scale = max(1, -(-LEAST_SIDE // min(image.shape[:2])))
    panels = [image, _with_mesh(image, frame, head, flame), _with_classes(image, frame)]
    panels = [np.repeat(np.repeat(p, scale, axis=0), scale, axis=1) for p in panels]
    _draw_landmarks(panels[1], frame, head, scale)
    _draw_mask(panels[2], frame, scale)
    _draw_legend(panels[2], frame)
    sheet = np.concatenate(panels, axis=1)
    _label(sheet, f"{frame.sub_dir}/{frame.name}", 14, (0, 0, 0))
    return sheet


def contact_sheet(sheets: list[UInt8[np.ndarray, "h w 3"]]) -> UInt8[np.ndarray, "h w 3"]:
    """All sheets below each other."""
    return np.concatenate(sheets, axis=0)


def _with_mesh(image: np.ndarray, frame: Frame, head: TrackedHead, flame: Flame) -> np.ndarray:
    depth = view_depth(frame.camera, head.vertices[None])[0].numpy()
    pixels = project(frame.camera, head.vertices[None])[0].numpy()
    faces = flame.faces_tensor.cpu().numpy()
    raster = rasterize(pixels, depth, faces, image.shape[:2])
    rotation = frame.camera.world_from_camera[0, :3, :3].numpy()
    normal = raster.interpolate(vertex_normals(head.vertices.numpy() @ rotation, faces), faces)
    shade = 0.25 + 0.75 * np.clip(normal @ LIGHT, 0, 1)
    opacity = OPACITY * raster.covered[..., None]
    return (image * (1 - opacity) + shade[..., None] * MESH * opacity).astype(np.uint8)


def _draw_landmarks(panel: np.ndarray, frame: Frame, head: TrackedHead, scale: int) -> None:
    pairs = landmark_pairs(head, frame)
    projected = project(frame.camera, pairs.points[None])[0].numpy()
    for points, colour in ((frame.keypoints.numpy(), RECORDED), (projected, PROJECTED)):
        _dots(panel, points * scale, colour)
    for recorded, found in zip(pairs.pixels, projected, strict=True):
        ends = [_corner(p * scale) for p in (recorded, found)]
        cv2.line(panel, *ends, RECORDED, 1, cv2.LINE_AA)
    box = frame.bbox.numpy() * scale
    cv2.rectangle(panel, _corner(box[:2]), _corner(box[2:]), BOX, 1)
    for row, (text, colour) in enumerate((("recorded", RECORDED), ("head model", PROJECTED), ("bbox", BOX))):
        _label(panel, text, 14 * (row + 2), colour)


def _with_classes(image: np.ndarray, frame: Frame) -> np.ndarray:
    if frame.semantics is None:
        return image.copy()
    classes = frame.semantics.argmax(dim=-1).numpy()
    colours = np.full((len(SemanticClass), 3), 255.0)
    for part, colour in CLASS_COLOURS.items():
        colours[part] = colour
    return (0.35 * image + 0.65 * colours[classes]).astype(np.uint8)


def _draw_mask(panel: np.ndarray, frame: Frame, scale: int) -> None:
    mask = frame.foreground.numpy().astype(np.uint8)
    mask = np.repeat(np.repeat(mask, scale, axis=0), scale, axis=1)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(panel, contours, -1, EDGE, 1)


def _draw_legend(panel: np.ndarray, frame: Frame) -> None:
    _label(panel, "mask", 14, EDGE)
    if frame.semantics is None:
        return
    for row, (part, colour) in enumerate(CLASS_COLOURS.items()):
        _label(panel, part.name.lower().replace("_", " "), 14 * (row + 2), colour)


def _dots(panel: np.ndarray, points: Float[np.ndarray, "n 2"], colour: tuple[int, int, int]) -> None:
    for point in points:
        cv2.circle(panel, _corner(point), 1, colour, -1, cv2.LINE_AA)


def _corner(point: np.ndarray) -> tuple[int, int]:
    limit = 1 << 14
    u, v = np.clip(np.nan_to_num(point, posinf=limit, neginf=-limit), -limit, limit).round().astype(int)
    return int(u), int(v)


def _label(panel: np.ndarray, text: str, baseline: int, colour: tuple[int, int, int]) -> None:
    for thickness, tint in ((3, (255, 255, 255)), (1, colour)):
        cv2.putText(panel, text, (4, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.4, tint, thickness, cv2.LINE_AA)
