"""The camera convention of the files against the mistakes that are made with it (docs/data_format.md, section 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from imavatar.anatomy import HEAD_SCALE, MM_PER_UNIT
from imavatar.data.dataset import Frame
from imavatar.data.intrinsics import IMAGE_SIZES, PIXELS_OF, UNIT_KEY
from imavatar.data_check.head_view import Pairs, TrackedHead, agreement, landmark_pairs, semantic_pairs
from imavatar.types import Camera

LARGEST_ERROR = 0.1
"""Of the face's height: half the distance of an eye's corners; a mistaken convention moves landmarks by more."""
LEAST_ON_MASK = 0.7
"""Of the head's vertices in the image: hair hides none of them, but a mask may end at the neck."""
LEAST_WITHIN = 0.8
"""Of the recorded landmarks: a face is inside the box of its head, unless the head is projected much too small."""
CLEARLY_BETTER = 0.5
"""Of one model unit."""


@dataclass(frozen=True)
class Convention:
    """One reading of the recorded cameras, and what a file must hold instead where it is the right one."""

    name: str
    remedy: str
    apply: Callable[[Camera], Camera]


def _intrinsics(factors: tuple[float, float, float, float]) -> Callable[[Camera], Camera]:
    return lambda camera: replace(camera, intrinsics=camera.intrinsics * camera.intrinsics.new_tensor(factors))


def _other_axes(camera: Camera) -> Camera:
    axes = torch.diag(camera.world_from_camera.new_tensor([1.0, -1.0, -1.0, 1.0]))
    flipped = replace(camera, world_from_camera=camera.world_from_camera @ axes)
    # There x / z has the sign of x: the focal length that a file of that convention gives is positive.
    fx, others = flipped.intrinsics[:, :1], flipped.intrinsics[:, 1:]
    return replace(flipped, intrinsics=torch.cat([-fx.abs(), others], dim=1))


def _farther(factor: float) -> Callable[[Camera], Camera]:
    def read(camera: Camera) -> Camera:
        camera_from_world = torch.linalg.inv(camera.world_from_camera)
        camera_from_world[:, :3, 3] *= factor
        return replace(camera, world_from_camera=torch.linalg.inv(camera_from_world))

    return read


RECORDED = Convention("as recorded", "", lambda camera: camera)
MISTAKES = (
    Convention(
        "mirrored images",
        "mirror images, masks and semantic maps, and the x of bbox and flame_keypoints; or the camera has its x axis "
        "to the left: negate the first row of every frame's world_mat",
        _intrinsics((-1, 1, 1, 1)),
    ),
    Convention(
        "images upside down",
        "flip images, masks and semantic maps, and the y of bbox and flame_keypoints; or the camera has its y axis "
        "down: negate the second row of every frame's world_mat",
        _intrinsics((1, -1, 1, 1)),
    ),
    Convention(
        "world_mat maps camera to world",
        "write the inverse of every frame's world_mat: world to camera",
        lambda camera: replace(camera, world_from_camera=torch.linalg.inv(camera.world_from_camera)),
    ),
    Convention(
        "the camera looks along +z with y down, as OpenCV's",
        "negate the second and the third row of every frame's world_mat, and give fx a negative sign",
        _other_axes,
    ),
    Convention(
        "translations in metres",
        f"multiply the translation of every frame's world_mat by {HEAD_SCALE:g}: 1 unit is {MM_PER_UNIT:g} mm",
        _farther(HEAD_SCALE),
    ),
    Convention(
        "translations in millimetres",
        f"divide the translation of every frame's world_mat by {MM_PER_UNIT:g}: 1 unit is {MM_PER_UNIT:g} mm",
        _farther(1 / MM_PER_UNIT),
    ),
    *(
        Convention(
            f"intrinsics of an image of {size} the size",
            f"divide intrinsics by the size of the image, and add {UNIT_KEY}: {IMAGE_SIZES} to the JSON; without it, "
            f"pixels are understood as those of a {PIXELS_OF} image",
            _intrinsics((factor, factor, factor, factor)),
        )
        for size, factor in (("half", 2), ("twice", 0.5))
    ),
)


@dataclass(frozen=True)
class Finding:
    """The verdict on a data set's cameras: the convention that fits (None: none does), and all agreements by name.

    `by_semantics`: the recorded landmarks are not those of the head, the eyes of the semantic maps decided.
    """

    fits: Convention | None
    errors: dict[str, float]
    on_mask: dict[str, float]
    by_semantics: bool = False

    @property
    def consistent(self) -> bool:
        """Whether the files can be trained on as they are."""
        return self.fits is RECORDED

    def __str__(self) -> str:
        what = "eyes of the semantic maps" if self.by_semantics else "landmarks"
        found = f"{what} off by {self.errors[RECORDED.name]:.1%} of the face's height"
        found += f", {self.on_mask[RECORDED.name]:.0%} of the head on the mask"
        if self.consistent:
            return f"camera convention: consistent ({found})"
        if self.fits is not None:
            better = f"{self.errors[self.fits.name]:.1%} and {self.on_mask[self.fits.name]:.0%}"
            return f"camera convention: {self.fits.name} ({found}; so read: {better}). {self.fits.remedy}"
        return (
            f"camera convention: the head does not lie on the person under any reading of the cameras ({found}). Check "
            "pose and expression, shape_params, flame_keypoints, and that the JSON belongs to these images and was "
            "tracked with model.head_model"
        )


def diagnose_cameras(heads: Sequence[TrackedHead], frames: Sequence[Frame]) -> Finding:
    """Which reading of the cameras puts the tracked heads onto the recorded frames: medians over the frames.

    Landmarks tell it; where they fit under none, because they are not in iBUG's order, the semantic maps' eyes do.
    """
    finding = _diagnose(heads, [landmark_pairs(head, frame) for head, frame in zip(heads, frames, strict=True)], frames)
    if finding.fits is not None:
        return finding
    pairs = [semantic_pairs(head, frame) for head, frame in zip(heads, frames, strict=True)]
    seen = [row for row, pair in enumerate(pairs) if pair is not None]
    if not seen:
        return finding
    by_eyes = _diagnose([heads[row] for row in seen], [pairs[row] for row in seen], [frames[row] for row in seen])
    return finding if by_eyes.fits is None else replace(by_eyes, by_semantics=True)


def _diagnose(heads: Sequence[TrackedHead], pairs: Sequence[Pairs], frames: Sequence[Frame]) -> Finding:
    errors, on_mask, within = {}, {}, {}
    for convention in (RECORDED, *MISTAKES):
        views = [agreement(h, p, convention.apply(f.camera), f) for h, p, f in zip(heads, pairs, frames, strict=True)]
        errors[convention.name] = float(np.median([view.relative_error for view in views]))
        shares = [view.on_mask for view in views if view.on_mask is not None]
        on_mask[convention.name] = float(np.median(shares)) if shares else 1.0
        within[convention.name] = float(np.median([view.face_within for view in views]))
    good = [
        c
        for c in (RECORDED, *MISTAKES)
        if errors[c.name] <= LARGEST_ERROR and on_mask[c.name] >= LEAST_ON_MASK and within[c.name] >= LEAST_WITHIN
    ]
    if RECORDED in good:
        return Finding(RECORDED, errors, on_mask)
    better = [c for c in good if errors[c.name] < CLEARLY_BETTER * errors[RECORDED.name]]
    return Finding(min(better, key=lambda c: errors[c.name], default=None), errors, on_mask)
