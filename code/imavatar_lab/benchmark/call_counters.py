"""How many points a search evaluates the networks at."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.fields.deformer import Deformer, FrameDeformation
from imavatar.fields.geometry import FrameSDF
from imavatar.rendering.avatar import Search
from imavatar.types import RayBundle, SurfaceHits


@dataclass
class Evaluations:
    """Points evaluated; a Jacobian or a gradient counts beside the values that come with it."""

    deformer: int = 0
    deformer_jacobian: int = 0
    geometry: int = 0
    geometry_gradient: int = 0


class CountingDeformer(FrameDeformation):
    """A bound deformer that counts."""

    def __init__(self, bound: FrameDeformation, counts: Evaluations):
        self._bound, self._counts = bound, counts
        self.transforms, self.canonical_transforms = bound.transforms, bound.canonical_transforms
        self.deformer = _CountingFeatures(bound.deformer, counts)
        self.from_features = bound.from_features

    def __call__(self, x_c: Float[Tensor, "n 3"]) -> Tensor:
        """Deformed points."""
        self._counts.deformer += len(x_c)
        return self._bound(x_c)

    def blended_rotation(self, x_c: Float[Tensor, "n 3"]) -> Tensor:
        """See `FrameDeformation.blended_rotation`."""
        self._counts.deformer += len(x_c)
        return self._bound.blended_rotation(x_c)

    def with_jacobian(self, x_c: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
        """See `FrameDeformation.with_jacobian`."""
        self._counts.deformer += len(x_c)
        self._counts.deformer_jacobian += len(x_c)
        return self._bound.with_jacobian(x_c)


class _CountingFeatures:
    """The one method of a deformer that a mesh is posed with."""

    def __init__(self, deformer: Deformer, counts: Evaluations):
        self._deformer, self._counts = deformer, counts

    def features(self, x_c: Float[Tensor, "n 3"]):
        self._counts.deformer += len(x_c)
        return self._deformer.features(x_c)


class CountingGeometry(FrameSDF):
    """A bound geometry that counts."""

    def __init__(self, bound: FrameSDF, counts: Evaluations):
        self._bound, self._counts, self.latent = bound, counts, bound.latent

    def __call__(self, x_c: Float[Tensor, "n 3"]) -> Tensor:
        """Signed distances."""
        self._counts.geometry += len(x_c)
        return self._bound(x_c)

    def with_gradient(self, x_c: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
        """See `FrameSDF.with_gradient`."""
        self._counts.geometry += len(x_c)
        self._counts.geometry_gradient += len(x_c)
        return self._bound.with_gradient(x_c)


def counted(
    search: Search, bound: FrameDeformation, field: FrameSDF, rays: RayBundle, foreground: Bool[Tensor, " n"] | None
) -> tuple[SurfaceHits, Evaluations]:
    """What a search finds, and what that takes."""
    counts = Evaluations()
    return search(CountingDeformer(bound, counts), CountingGeometry(field, counts), rays, foreground), counts
