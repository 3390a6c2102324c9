"""A subject whose truth is known: a coloured sphere, rendered in closed form, in the layout of docs/data_format.md.

The sphere is in the canonical pose with a neutral expression in every frame, where a deformer is the identity whatever
its weights are; only the camera moves. Everything here follows from the specification, not from the package.
"""

import json
from pathlib import Path

import cv2
import numpy as np

RADIUS = 0.6
DISTANCE = 4.0
FOCAL = 2.2
INTRINSICS = (-FOCAL, FOCAL, 0.5, 0.5)
SKIN, MOUTH, UPPER_LIP, LOWER_LIP, CLOTH, HAIR = 1, 11, 12, 13, 16, 17


def write_subject(
    tmp_path: Path,
    *,
    size: int | tuple[int, int] = 32,
    n_frames: int = 4,
    sub_dirs: tuple[str, ...] = ("train", "test"),
    semantics: bool = True,
    subject: str = "sphere",
    intrinsics: tuple[float, float, float, float] = INTRINSICS,
) -> Path:
    """Write the subject; returns its data_folder. `size` is a side or (height, width).

    Whatever the principal point (of `intrinsics`, as in the files), the camera is where it has the sphere in the middle
    of its picture.
    """
    height, width = (size, size) if isinstance(size, int) else size
    for number, sub_dir in enumerate(sub_dirs):
        folder = tmp_path / subject / subject / sub_dir
        for kind in ("image", "mask", *(["semantic"] if semantics else [])):
            (folder / kind).mkdir(parents=True)
        frames = []
        for k in range(1, n_frames + 1):
            centre = camera_centre(k + 100 * number, intrinsics)
            image, mask, labels = render(centre, height, width, intrinsics)
            cv2.imwrite(str(folder / "image" / f"{k}.png"), image[..., ::-1])
            cv2.imwrite(str(folder / "mask" / f"{k}.png"), mask)
            if semantics:
                cv2.imwrite(str(folder / "semantic" / f"{k}.png"), labels)
            frames.append(frame_entry(k, centre, intrinsics))
        tree = {
            "frames": frames,
            "intrinsics": list(intrinsics),
            "shape_params": [0.0] * 100,
        }
        (folder / "flame_params.json").write_text(json.dumps(tree))
    return tmp_path


def camera_centre(k: int, intrinsics: tuple[float, float, float, float] = INTRINSICS) -> np.ndarray:
    """Where the camera of a frame is: it wanders a little in front of the sphere."""
    fx, fy, cx, cy = intrinsics
    aside = DISTANCE * np.array([(0.5 - cx) / fx, (0.5 - cy) / fy, 0])
    return aside + np.array([0.2 * np.sin(1.3 * k), 0.15 * np.cos(0.7 * k), DISTANCE])


def frame_entry(k: int, centre: np.ndarray, intrinsics: tuple[float, float, float, float] = INTRINSICS) -> dict:
    """The JSON of a frame: the canonical pose (jaw 0.2 about x), a neutral expression."""
    points = landmarks(centre, intrinsics)
    pose = np.zeros(15)
    pose[6] = 0.2
    return {
        "file_path": f"./image/{k}",
        "world_mat": np.column_stack([np.eye(3), -centre]).tolist(),
        "expression": [0.0] * 50,
        "pose": pose.tolist(),
        "bbox": [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()],
        "flame_keypoints": points.tolist(),
    }


def landmarks(centre: np.ndarray, intrinsics: tuple[float, float, float, float] = INTRINSICS) -> np.ndarray:
    """70 points on the front of the sphere, projected, in [-1, 1]."""
    angle = np.arange(70) * 2.4
    tilt = np.linspace(0.05, 0.9, 70)
    front = np.column_stack([np.sin(tilt) * np.cos(angle), np.sin(tilt) * np.sin(angle), np.cos(tilt)])
    local = RADIUS * front - centre
    fx, fy, cx, cy = intrinsics
    unit = np.column_stack([cx + fx * local[:, 0] / local[:, 2], cy + fy * local[:, 1] / local[:, 2]])
    return 2 * unit - 1


def directions(height: int, width: int, intrinsics: tuple[float, float, float, float] = INTRINSICS) -> np.ndarray:
    """Unit viewing directions of all pixels [h, w, 3], the camera's axes being the world's."""
    v, u = np.mgrid[:height, :width].astype(float)
    fx, fy, cx, cy = intrinsics
    x = (u / width - cx) / -fx
    y = -(v / height - cy) / fy
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def render(
    centre: np.ndarray, height: int, width: int, intrinsics: tuple[float, float, float, float] = INTRINSICS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, mask and labels: the colour is the normal's, (n + 1) / 2, before a dark background."""
    rays = directions(height, width, intrinsics)
    along = rays @ centre
    discriminant = along**2 - centre @ centre + RADIUS**2
    hit = discriminant > 0
    depth = -along - np.sqrt(np.where(hit, discriminant, 0))
    normal = (centre + depth[..., None] * rays) / RADIUS
    colour = np.where(hit[..., None], (normal + 1) / 2, 0.1)
    image = np.round(255 * colour).clip(0, 255).astype(np.uint8)
    return image, np.where(hit, 255, 0).astype(np.uint8), labels_of(normal, hit)


def labels_of(normal: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Face-parsing labels of a sphere: hair above, cloth below, a mouth between."""
    x, y = normal[..., 0], normal[..., 1]
    mouth = np.abs(x) < 0.3
    labels = np.full(hit.shape, SKIN, dtype=np.uint8)
    labels[mouth & (y > -0.3) & (y < -0.2)] = UPPER_LIP
    labels[mouth & (y > -0.4) & (y < -0.3)] = MOUTH
    labels[mouth & (y > -0.5) & (y < -0.4)] = LOWER_LIP
    labels[y > 0.6] = HAIR
    labels[y < -0.7] = CLOTH
    labels[~hit] = 0
    return labels
