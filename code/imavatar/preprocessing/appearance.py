"""The person's own texture in the fit: a point of the face's skin looks the same in all frames.

A detector places landmarks frame by frame, each time a little beside. What the skin shows (pores, moles, the shadow of
a nostril, the edge of a lip) says more precisely how frames lie to each other. What it looks like is not known before:
it is the mean of the frames themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from imavatar.anatomy import ParsingLabel
from imavatar.head.assets import HeadAssets
from imavatar.head.face_skin import away_from_eyes, face_skin
from imavatar.head.landmarks import LandmarkEmbedding
from imavatar.numerics.mesh import vertex_normals
from imavatar.preprocessing.frame_batch import some_frames
from imavatar.preprocessing.landmark_model import SurfacePoints

SIDE = 256
"""Pixels of the images that are compared."""
FINE, COARSE = 1.0, 5.0
"""Pixels of these: what is compared is the difference of two Gaussians' images with these standard deviations."""
LEAST_CONTRAST = 2.0
"""Of lightness, in percent: where there is less, it is noise and is not made stronger."""
COLOUR_UNIT = 2.0
"""Of the channel from green to red, in the units of CIE Lab: counts as much as the local contrast of lightness."""
SCALE = 0.5
"""A difference from which on it counts less and less: light that moves, a strand, a hand."""
FACING = 0.35
"""Cosine between a point's normal and the way to the camera above which it is seen well enough."""
EYE_MARGIN = 0.002
"""Metres around the eyes that are left out: lids uncover and cover what is there."""
BATCH = 256
"""Frames that are compared at a time."""
VISIBLE = (
    ParsingLabel.SKIN,
    ParsingLabel.LEFT_BROW,
    ParsingLabel.RIGHT_BROW,
    ParsingLabel.NOSE,
    ParsingLabel.UPPER_LIP,
    ParsingLabel.LOWER_LIP,
)


@dataclass(frozen=True)
class Pictures:
    """The frames of all recordings by number: RGB images, and their face-parsing labels."""

    image: Callable[[int], UInt8[np.ndarray, "h w 3"]]
    labels: Callable[[int], UInt8[np.ndarray, "h w"]]


def local_contrast(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "2 s s"]:
    """What of an image does not change with the light: lightness over its local contrast, and red against green."""
    size = (SIDE, SIDE)
    small = rgb if rgb.shape[:2] == size else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., :2]
    detail = cv2.GaussianBlur(lab, (0, 0), FINE) - cv2.GaussianBlur(lab, (0, 0), COARSE)
    energy = cv2.GaussianBlur(detail[..., 0] ** 2, (0, 0), COARSE)
    lightness = detail[..., 0] / np.sqrt(energy + LEAST_CONTRAST**2)
    return np.stack([lightness, detail[..., 1] / COLOUR_UNIT])


class AppearanceTerm:
    """How much the frames differ at points of the face's skin from what they have in common.

    Args:
        assets, embedding: the head model.
        pictures: of all frames.
        size: height and width of the frames, pixels.
        generator: chooses the frames of a step, where there are many.
        device: of all tensors.
    """

    def __init__(
        self,
        assets: HeadAssets,
        embedding: LandmarkEmbedding,
        pictures: Pictures,
        n_frames: int,
        size: tuple[int, int],
        generator: torch.Generator,
        device: torch.device | str = "cpu",
    ):
        vertices = away_from_eyes(assets, embedding, face_skin(assets, embedding), EYE_MARGIN)
        self.points = SurfacePoints(assets, vertices[:, None], np.ones((len(vertices), 1)), device=device)
        normals = vertex_normals(assets.v_template, assets.faces)[vertices]
        self._normals = torch.as_tensor(normals, dtype=torch.float32, device=device)
        self._pictures, self._size, self._generator = pictures, size, generator
        contrasts = [local_contrast(pictures.image(k)).astype(np.float16) for k in range(n_frames)]
        self._contrast = torch.as_tensor(np.stack(contrasts), device=device)
        self._seen = torch.zeros(n_frames, len(vertices), device=device)

    def batch(self) -> Int[Tensor, " b"]:
        """Frames for a step: all, or a random choice."""
        return some_frames(len(self._contrast), BATCH, self._generator).to(self._contrast.device)

    @torch.no_grad()
    def look(
        self, frame: int, pixels: Float[Tensor, "m 2"], points: Float[Tensor, "m 3"], rotation: Float[Tensor, "3 3"]
    ) -> None:
        """Note which points a frame shows: those that face the camera and that no hair, hand or frame of glasses hides.

        Args:
            frame: its number.
            pixels: where the points are in it, continuous pixels.
            points: in the camera's axes (y up, looking along -z).
            rotation: of the head, from rest to these axes.
        """
        cosine = -(self._normals @ rotation.T * torch.nn.functional.normalize(points, dim=1)).sum(dim=1)
        labels = self._pictures.labels(frame)
        limit = np.array(labels.shape[::-1]) - 1
        column, row = np.clip(np.floor(pixels.cpu().numpy()).astype(int), 0, limit).T
        free = torch.as_tensor(np.isin(labels[row, column], VISIBLE), device=cosine.device)
        self._seen[frame] = cosine * (free & (cosine > FACING))

    def __call__(self, frames: Int[Tensor, " b"], pixels: Float[Tensor, "b m 2"]) -> Float[Tensor, ""]:
        """Robust mean over points and frames; 0 where all look alike.

        Args:
            frames: numbers.
            pixels: where the points are in them, continuous pixels.
        """
        height, width = self._size
        place = 2 * pixels / pixels.new_tensor([width, height]) - 1
        images = self._contrast[frames].to(pixels.dtype)
        values = torch.nn.functional.grid_sample(images, place[:, :, None], align_corners=False)[..., 0]
        seen = self._seen[frames]
        difference = (values - self._common(values.detach(), seen)) / SCALE
        robust = (1 + difference.square().mean(dim=1)).log()
        return (seen * robust).sum() / seen.sum().clamp(min=1)

    @staticmethod
    def _common(values: Float[Tensor, "b c m"], seen: Float[Tensor, "b m"]) -> Float[Tensor, "c m"]:
        """What the points look like: the mean over the frames in which they are seen, outliers left out."""
        weight = seen[:, None].expand_as(values)
        for _ in range(3):
            mean = (weight * values).sum(dim=0) / weight.sum(dim=0).clamp(min=1e-3)
            weight = seen[:, None] / (1 + ((values - mean) / SCALE).square())
        return mean
