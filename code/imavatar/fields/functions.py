"""What searches ask of the fields of one frame: functions of canonical points, of the avatar or of a baseline."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Deformation:
    """Deformed points, J[n, i, k] = d x_d,i / d x_c,k, and the features of the canonical points."""

    x_d: Float[Tensor, "n 3"]
    jacobian: Float[Tensor, "n 3 3"]
    hidden: Float[Tensor, "n w"]
    weights: Float[Tensor, "n j"]


@runtime_checkable
class DistanceFunction(Protocol):
    """The signed distance under one latent code, as `fields.geometry.FrameSDF`."""

    def __call__(self, x_c: Float[Tensor, "n 3"], /) -> Float[Tensor, " n"]:
        """Signed distances, model units, negative inside."""
        ...

    def with_gradient(self, x_c: Float[Tensor, "n 3"], /) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Signed distances and their gradients."""
        ...


@runtime_checkable
class DeformationFunction(Protocol):
    """x_c -> x_d of one frame, as `fields.deformer.FrameDeformation`."""

    transforms: Float[Tensor, "j 4 4"]
    canonical_transforms: Float[Tensor, "j 4 4"]

    def __call__(self, x_c: Float[Tensor, "n 3"], /) -> Float[Tensor, "n 3"]:
        """Deformed points."""
        ...

    def with_jacobian(self, x_c: Float[Tensor, "n 3"], /) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3 3"]]:
        """Deformed points and J[n, i, k] = d x_d,i / d x_c,k."""
        ...

    def blended_rotation(self, x_c: Float[Tensor, "n 3"], /) -> Float[Tensor, "n 3 3"]:
        """The rotation part of the blended bone transforms, a first guess of the Jacobian."""
        ...


@runtime_checkable
class MeshDeformation(DeformationFunction, Protocol):
    """A deformation that poses a mesh again and again: what of it depends on the points alone is kept."""

    deformer: Any

    def from_features(
        self, x_c: Float[Tensor, "n 3"], hidden: Float[Tensor, "n w"], weights: Float[Tensor, "n k"], /
    ) -> Float[Tensor, "n 3"]:
        """Deformed points whose features, as `deformer.features` gives them, are known."""
        ...


@runtime_checkable
class SurfaceDeformation(MeshDeformation, Protocol):
    """A deformation that surface points are shaded with."""

    def evaluate(self, x_c: Float[Tensor, "n 3"], /) -> Deformation:
        """Deformed points, Jacobians, and the features of the canonical points; differentiable as a whole."""
        ...
