"""Whose face it is: 128 numbers of an aligned face, by a residual network that dlib's author trained.

The weights are those of `dlib_face_recognition_resnet_model_v1` (public domain), rounded to bytes in the package
face-api (MIT). Similarities by another network, such as ArcFace, are other numbers.
"""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from imavatar.assets import asset_path
from imavatar.errors import AssetError
from imavatar.head.mesh_points import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from imavatar.paths import command

logger = logging.getLogger(__name__)

ASSET = "face_recognition"
CHIP, PADDING = 150, 0.25
"""Side of the aligned face, pixels, and what is around the square of the face, in shares of its side."""
NOSE_BASE = 2
"""Of the face mesh: where the nose ends above the upper lip."""
ANCHORS = (*RIGHT_EYE_CORNERS, *LEFT_EYE_CORNERS, NOSE_BASE)
PLACES = np.array([[0.13, 0.214], [0.345, 0.229], [0.87, 0.214], [0.655, 0.229], [0.5, 0.628]])
"""Where these landmarks lie in the square of a face, from its upper left corner."""

MEAN_COLOUR = (122.782, 117.001, 104.298)
COLOUR_RANGE = 256.0
STAGES = ((32, 0, 3), (64, 1, 3), (128, 1, 2), (256, 1, 2))
"""Channels, units that halve the size, and units that keep it; a last unit halves the size once more."""
STRANGERS = 0.8
"""About the distance between the descriptors of different people. The network was trained to keep it above 0.6."""
PARTS = ("conv/filters", "conv/bias", "scale/weights", "scale/biases")
"""Of a convolution."""

UNREADABLE = (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What files raise that are damaged or something else."""


class FaceDescriptor:
    """An aligned face -> its descriptor; faces of one person lie close together.

    Args:
        weights: tensors by their names in the manifest, convolutions as [o, i, h, w].
    """

    def __init__(self, weights: Mapping[str, Tensor]):
        self._weights = weights

    @classmethod
    def load(cls, path: Path) -> "FaceDescriptor":
        """Read the weights, whose manifest lies beside them.

        Raises:
            AssetError: a file is damaged or something else.
        """
        manifest = path.with_suffix(".json")
        try:
            entries = json.loads(manifest.read_text(encoding="utf-8"))[0]["weights"]
            weights = _dequantised(entries, path.read_bytes())
            missing = sorted(_names() - weights.keys())
            if missing:
                raise ValueError(f"no {missing[0]}")
        except UNREADABLE as error:
            raise AssetError(
                f"{path} and {manifest.name} do not hold the weights of the face descriptor ({error}); delete them and "
                f"run: {command('fetch_assets')} --only {ASSET}"
            ) from error
        return cls(weights)

    def of_image(self, rgb: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "468 2"]) -> Float[np.ndarray, "128"]:
        """Descriptor of the face at known landmarks (pixels) of an image."""
        return self(aligned_face(rgb, points))

    @torch.no_grad()
    def __call__(self, chip: UInt8[np.ndarray, "150 150 3"]) -> Float[np.ndarray, "128"]:
        """Descriptor of an aligned face."""
        x = torch.from_numpy(chip).permute(2, 0, 1)[None].float()
        x = (x - torch.tensor(MEAN_COLOUR)[:, None, None]) / COLOUR_RANGE
        x = F.max_pool2d(F.relu(self._convolution(x, "conv32_down", stride=2)), 3, 2)
        for channels, n_down, n_same in STAGES:
            if n_down:
                x = self._unit(x, f"conv{channels}_down", halves=True)
            for k in range(1, n_same + 1):
                x = self._unit(x, f"conv{channels}_{k}", halves=False)
        x = self._unit(x, "conv256_down_out", halves=True)
        return (x.mean(dim=(2, 3)) @ self._weights["fc"])[0].numpy()

    def _unit(self, x: Float[Tensor, "1 i h w"], name: str, *, halves: bool) -> Float[Tensor, "1 o _ _"]:
        """Two convolutions and what goes past them; where sizes or channels differ, zeros are added."""
        inner = F.relu(self._convolution(x, f"{name}/conv1", stride=2 if halves else 1))
        inner = self._convolution(inner, f"{name}/conv2", stride=1)
        past = F.avg_pool2d(x, 2) if halves else x
        shape = [max(a, b) for a, b in zip(inner.shape, past.shape, strict=True)]
        return F.relu(_grown(inner, shape) + _grown(past, shape))

    def _convolution(self, x: Float[Tensor, "1 i h w"], name: str, *, stride: int) -> Float[Tensor, "1 o _ _"]:
        """A convolution, scaled and shifted channel by channel; one that halves the size sees nothing past the rim."""
        kernel, bias, scale, shift = (self._weights[f"{name}/{part}"] for part in PARTS)
        padding = 0 if stride > 1 else kernel.shape[-1] // 2
        x = F.conv2d(x, kernel, bias, stride=stride, padding=padding)
        return x * scale[:, None, None] + shift[:, None, None]


def similarity(distance: float) -> float:
    """From the distance of two descriptors to 1 for the same picture and about 0 for different people.

    It is the cosine of the angle at the middle of all people's descriptors, if these are equally far from it. The angle
    at zero says little: descriptors lie in a small ball far away from it, so that its cosine is above 0.8 for anyone.
    """
    return 1 - (distance / STRANGERS) ** 2


def aligned_face(rgb: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "468 2"]) -> UInt8[np.ndarray, "150 150 3"]:
    """The face at known landmarks (pixels), brought by a similarity to where the network expects eyes and nose."""
    goal = CHIP * (PADDING + PLACES) / (1 + 2 * PADDING)
    matrix = _best_similarity(points[list(ANCHORS)], goal)
    return cv2.warpAffine(rgb, matrix, (CHIP, CHIP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def load_face_descriptor() -> FaceDescriptor | None:
    """The network, or None with a message where its weights are missing."""
    try:
        path = asset_path(ASSET)
    except AssetError as error:
        logger.warning("identity skipped: %s", error)
        return None
    return FaceDescriptor.load(path)


def _best_similarity(own: Float[np.ndarray, "k 2"], goal: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "2 3"]:
    """The turn, scale and shift that bring points closest to others; as complex numbers it is z -> a z + b."""
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (own, goal))
    z_mean, w_mean = z.mean(), w.mean()
    a = np.vdot(z - z_mean, w - w_mean) / np.vdot(z - z_mean, z - z_mean)
    b = w_mean - a * z_mean
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _grown(x: Float[Tensor, "1 c h w"], shape: list[int]) -> Float[Tensor, "1 _ _ _"]:
    """With zeros after the last channel, row and column."""
    _, channels, height, width = (goal - own for goal, own in zip(shape, x.shape, strict=True))
    return F.pad(x, (0, width, 0, height, 0, channels))


def _names() -> set[str]:
    """Of all tensors that the network needs."""
    units = [f"conv{c}_{k}" for c, _, n in STAGES for k in range(1, n + 1)]
    units += [f"conv{c}_down" for c, n_down, _ in STAGES if n_down] + ["conv256_down_out"]
    convolutions = ["conv32_down", *(f"{unit}/conv{k}" for unit in units for k in (1, 2))]
    return {"fc", *(f"{name}/{part}" for name in convolutions for part in PARTS)}


def _dequantised(entries: list[dict], content: bytes) -> dict[str, Tensor]:
    """The tensors, which follow each other in the file: plain numbers, or bytes with a scale and a least value."""
    weights, start = {}, 0
    for entry in entries:
        shape, quantisation = entry["shape"], entry.get("quantization")
        kind = np.dtype(np.uint8 if quantisation else np.float32).newbyteorder("<")
        count = math.prod(shape)
        values = np.frombuffer(content, kind, count, start).astype(np.float32).reshape(shape)
        start += count * kind.itemsize
        if quantisation:
            values = values * np.float32(quantisation["scale"]) + np.float32(quantisation["min"])
        tensor = torch.from_numpy(values)
        weights[entry["name"]] = tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor
    if start != len(content):
        raise ValueError(f"{len(content)} bytes, expected {start}")
    return weights
