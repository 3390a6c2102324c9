"""Pictures of a frame for the eye: the image, the head over it, landmarks and box, mask and semantics."""

from typing import TypeAlias

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import Frame
from imavatar.data.drawing import draw_mesh
from imavatar.data_check.head_view import TrackedHead, landmark_pairs
from imavatar.head.flame import Flame
from imavatar.rendering.camera import project

Image: TypeAlias = UInt8[np.ndarray, "h w 3"]

RECORDED = (255, 60, 60)
PROJECTED = (60, 230, 60)
BOX = (255, 210, 0)
EDGE = (255, 0, 255)
LEAST_SIDE = 256
"""Pixels; smaller images are enlarged by a whole factor."""
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


def frame_figure(frame: Frame, head: TrackedHead, flame: Flame) -> Image:
    """Three pictures beside each other: image; head, landmarks and box over it; mask's edge and semantic classes."""
    image = np.round((frame.image.numpy() + 1) * 127.5).astype(np.uint8)
    scale = max(1, -(-LEAST_SIDE // min(image.shape[:2])))
    panels = [image, _with_mesh(image, frame, head, flame), _with_classes(image, frame)]
    panels = [p.repeat(scale, axis=0).repeat(scale, axis=1) for p in panels]
    _draw_landmarks(panels[1], frame, head, scale)
    _draw_mask(panels[2], frame, scale)
    figure = np.concatenate(panels, axis=1)
    _label(figure, f"{frame.sub_dir}/{frame.name}", 14, (0, 0, 0))
    return figure


def _with_mesh(image: Image, frame: Frame, head: TrackedHead, flame: Flame) -> Image:
    camera_from_world = torch.linalg.inv(frame.camera.world_from_camera)[0].numpy()
    vertices = head.vertices.numpy() @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    pixels = project(frame.camera, head.vertices[None])[0].numpy()
    # A camera that mirrors is what a check may find.
    return draw_mesh(image, vertices, pixels, flame.faces_tensor.cpu().numpy(), cull=False)


def _draw_landmarks(panel: Image, frame: Frame, head: TrackedHead, scale: int) -> None:
    pairs = landmark_pairs(head, frame)
    projected = project(frame.camera, pairs.points[None])[0].numpy()
    for points, colour in ((frame.keypoints.numpy(), RECORDED), (projected, PROJECTED)):
        for point in points * scale:
            cv2.circle(panel, _corner(point), 1, colour, -1, cv2.LINE_AA)
    for recorded, found in zip(pairs.pixels, projected, strict=True):
        cv2.line(panel, _corner(recorded * scale), _corner(found * scale), RECORDED, 1, cv2.LINE_AA)
    box = frame.bbox.numpy() * scale
    cv2.rectangle(panel, _corner(box[:2]), _corner(box[2:]), BOX, 1)
    for row, (text, colour) in enumerate((("recorded", RECORDED), ("head model", PROJECTED), ("bbox", BOX))):
        _label(panel, text, 14 * (row + 2), colour)


def _with_classes(image: Image, frame: Frame) -> Image:
    if frame.semantics is None:
        return image.copy()
    classes = frame.semantics.argmax(dim=-1).numpy()
    colours = np.full((len(SemanticClass), 3), 255.0)
    for part, colour in CLASS_COLOURS.items():
        colours[part] = colour
    return (0.35 * image + 0.65 * colours[classes]).astype(np.uint8)


def _draw_mask(panel: Image, frame: Frame, scale: int) -> None:
    mask = frame.foreground.numpy().astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(panel, contours, -1, EDGE, 1)
    _label(panel, "mask", 14, EDGE)
    for row, (part, colour) in enumerate(CLASS_COLOURS.items() if frame.semantics is not None else ()):
        _label(panel, part.name.lower().replace("_", " "), 14 * (row + 2), colour)


def _corner(point: Float[np.ndarray, " 2"]) -> tuple[int, int]:
    limit = 1 << 14
    u, v = np.clip(np.nan_to_num(point, posinf=limit, neginf=-limit), -limit, limit).round().astype(int)
    return int(u), int(v)


def _label(panel: Image, text: str, baseline: int, colour: tuple[int, int, int]) -> None:
    for thickness, tint in ((3, (255, 255, 255)), (1, colour)):
        cv2.putText(panel, text, (4, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.4, tint, thickness, cv2.LINE_AA)
