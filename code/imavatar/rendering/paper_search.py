"""The paper's surface search as one of the interchangeable searches of an avatar."""

from jaxtyping import Bool
from torch import Tensor

from imavatar.fields.functions import DeformationFunction, DistanceFunction
from imavatar.numerics.intersection import ray_sphere_interval
from imavatar.numerics.precision import full_precision
from imavatar.rendering.correspondence import CorrespondenceSettings, find_canonical
from imavatar.rendering.surface_search import find_surface
from imavatar.types import RayBundle, SurfaceHits


class PaperSearch:
    """Uniform samples in a bounding sphere, each solved from three guesses, then secant steps.

    Args:
        wrap: see `find_surface`.
    """

    def __init__(
        self,
        *,
        radius: float = 1.2,
        n_samples: int = 100,
        n_secant_steps: int = 8,
        correspondence: CorrespondenceSettings,
        wrap: bool = False,
    ):
        self.radius = radius
        self.n_samples = n_samples
        self.n_secant_steps = n_secant_steps
        self.correspondence = correspondence
        self.wrap = wrap

    def reset(self) -> None:
        """Nothing is kept between calls."""

    def staleness(self) -> dict[str, float]:
        """Nothing is kept that could age."""
        return {}

    def __call__(
        self,
        deform: DeformationFunction,
        field: DistanceFunction,
        rays: RayBundle,
        foreground: Bool[Tensor, " n"] | None,
    ) -> SurfaceHits:
        """Hits of rays of one frame."""
        with full_precision(rays.origins.device):
            return find_surface(
                lambda x_d: find_canonical(deform, field, x_d, self.correspondence),
                rays,
                interval=ray_sphere_interval(rays.origins, rays.directions, self.radius),
                n_samples=self.n_samples,
                n_secant_steps=self.n_secant_steps,
                foreground=foreground,
                wrap=self.wrap,
            )
