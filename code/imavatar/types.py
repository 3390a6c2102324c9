"""The records that cross module borders; no computation beyond indexing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.anatomy import Joint, pose_slice

LATENT_SIZE = 32
"""Width of the per-frame latent code where geometry_network.condition_in asks for one."""

Record = TypeVar("Record", bound="TensorRecord")


@dataclass(frozen=True)
class TensorRecord:
    """Tensors, or records of them, that share their leading dimension: indexed, moved and cast together."""

    def __getitem__(self: Record, index: Tensor | slice | list[int]) -> Record:
        if isinstance(index, Tensor) and index.dtype == torch.bool:
            # Which rows a mask means is found out once, not for every tensor: a GPU is waited for each time.
            index = index.nonzero()[:, 0]
        return self._map(lambda tensor: tensor[index])

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def to(self: Record, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Record:
        """The same record on another device; `dtype` applies to floating-point tensors only."""
        return self._map(lambda t: t.to(device=device, dtype=dtype if t.is_floating_point() else None))

    def detach(self: Record) -> Record:
        """The same values without a gradient."""
        return self._map(lambda tensor: tensor.detach())

    def _map(self: Record, function: Callable[[Tensor], Tensor]) -> Record:
        values = ((f.name, getattr(self, f.name)) for f in fields(self))
        mapped = {name: v._map(function) if isinstance(v, TensorRecord) else function(v) for name, v in values}
        return replace(self, **mapped)


def concatenate(records: Sequence[Record]) -> Record:
    """One record from several of the same type, joined along the leading dimension."""
    joined = {}
    for field in fields(records[0]):
        parts = [getattr(record, field.name) for record in records]
        joined[field.name] = concatenate(parts) if isinstance(parts[0], TensorRecord) else torch.cat(parts, dim=0)
    return replace(records[0], **joined)


@dataclass(frozen=True)
class Camera(TensorRecord):
    """Pinhole cameras that look along -z, x right, y up (docs/data_format.md, section 4).

    `intrinsics` holds fx, fy, cx, cy in pixels, fx negative; pixels are at integer coordinates.
    """

    intrinsics: Float[Tensor, "b 4"]
    world_from_camera: Float[Tensor, "b 4 4"]


@dataclass(frozen=True)
class View:
    """What a picture is taken with: a camera (one row, or a row a frame) and the picture's size in pixels."""

    camera: Camera
    height: int
    width: int

    def resized(self, height: int, width: int) -> "View":
        """The same view in another size: a pixel's middle has integer coordinates before and after."""
        down, across = height / self.height, width / self.width
        fx, fy, cx, cy = self.camera.intrinsics.unbind(dim=-1)
        scaled = [across * fx, down * fy, across * (cx + 0.5) - 0.5, down * (cy + 0.5) - 0.5]
        return View(replace(self.camera, intrinsics=torch.stack(scaled, dim=-1)), height, width)


@dataclass(frozen=True)
class RayBundle(TensorRecord):
    """Rays in world space; `frame` is the row of the PosedHead that a ray looks at."""

    origins: Float[Tensor, "n 3"]
    directions: Float[Tensor, "n 3"]
    frame: Int[Tensor, " n"]

    def at(self, depth: Float[Tensor, " n"]) -> Float[Tensor, "n 3"]:
        """The points at a distance along each ray."""
        return self.origins + depth[:, None] * self.directions


@dataclass(frozen=True)
class HeadParameters(TensorRecord):
    """FLAME expression coefficients and pose (global, neck, jaw, left eye, right eye; axis-angle)."""

    expression: Float[Tensor, "b e"]
    pose: Float[Tensor, "b 15"]

    def rotation_vector(self, joint: Joint) -> Float[Tensor, "b 3"]:
        """The axis-angle vector of one joint."""
        return self.pose[:, pose_slice(joint)]


@dataclass(frozen=True)
class PosedHead(TensorRecord):
    """What the fields need to know of a frame.

    `bone_transforms` map template space (model units) to deformed space, relative to the rest pose; the ghost bone,
    where used, comes first. `latent` is zero wide where no latent code is used. `texture_condition` is what colours
    depend on: the expression and the jaw's rotation.
    """

    expression: Float[Tensor, "b e"]
    texture_condition: Float[Tensor, "b c"]
    pose_feature: Float[Tensor, "b 36"]
    bone_transforms: Float[Tensor, "b j 4 4"]
    latent: Float[Tensor, "b l"]


@dataclass(frozen=True)
class DeformationFields(TensorRecord):
    """Blendshapes, pose correctives and skinning weights at canonical points."""

    shapedirs: Float[Tensor, "m 3 e"]
    posedirs: Float[Tensor, "m 36 3"]
    weights: Float[Tensor, "m j"]


@dataclass(frozen=True)
class SurfaceHits(TensorRecord):
    """What a surface search knows of each ray. Carries no gradient by contract.

    A ray without a hit has the depth and canonical point of its least signed distance (of its closest approach, where
    a search looks no further). `converged` says whether a canonical point was found at all.
    """

    depth: Float[Tensor, " n"]
    hit: Bool[Tensor, " n"]
    x_c: Float[Tensor, "n 3"]
    sdf: Float[Tensor, " n"]
    converged: Bool[Tensor, " n"]


@dataclass(frozen=True)
class RootStatistics(TensorRecord):
    """How well the points with an implicit gradient solve their equations: what a diagnosis of a run needs.

    `residual` is in model units; a `singular` point has no gradient (docs/method.md, section 7).
    """

    residual: Float[Tensor, " k"]
    singular: Bool[Tensor, " k"]


@dataclass(frozen=True)
class RenderOutput:
    """Per ray: colour [-1, 1], deformed-space normal, signed distance, hits. Per surface point: the fields.

    `surface_index` holds the rays that have a surface point; `rgb` is 1 (white) and `normal` 0 on the others. `sdf` is
    the signed distance that the mask loss uses, with its implicit gradient (docs/method.md, section 7).
    `geometry_gradient` is the gradient of the signed distance at the surface points. `root_statistics` is of the points
    with an implicit gradient, none where gradients are off.
    """

    rgb: Float[Tensor, "n 3"]
    normal: Float[Tensor, "n 3"]
    sdf: Float[Tensor, " n"]
    hits: SurfaceHits
    surface_index: Int[Tensor, " m"]
    x_c: Float[Tensor, "m 3"]
    geometry_gradient: Float[Tensor, "m 3"]
    fields: DeformationFields
    root_statistics: RootStatistics


@dataclass(frozen=True)
class Batch:
    """The rays of one training step with their targets.

    `frame` are indices into the data set [b]; `rays_frame` says which of the b frames a pixel belongs to. Colours in
    [-1, 1] with the background composited to white; semantics are soft channels or None.
    """

    frame: Int[Tensor, " b"]
    camera: Camera
    head: HeadParameters
    pixels: Float[Tensor, "n 2"]
    rays_frame: Int[Tensor, " n"]
    rgb: Float[Tensor, "n 3"]
    foreground: Bool[Tensor, " n"]
    semantics: Float[Tensor, "n 9"] | None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items() if value is not None})
