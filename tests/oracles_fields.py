"""Small float64 networks with random weights, made-up heads, and fields and deformers in closed form."""

import copy
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from imavatar.anatomy import CANONICAL_JAW_ANGLE, N_JOINTS, POSE_FEATURE_SIZE, Joint
from imavatar.fields.deformer import Deformer, FrameDeformation
from imavatar.fields.geometry import FrameSDF, Geometry
from imavatar.fields.texture import Texture
from imavatar.numerics.linalg import rigid_transform, transform_points
from imavatar.numerics.rotations import axis_angle_to_matrix
from imavatar.types import PosedHead, RayBundle

N_EXPRESSION = 4
N_FEATURES = 5
STEP = 1e-4


def generator(seed: int) -> torch.Generator:
    """A seeded source of random numbers."""
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int) -> Tensor:
    """Standard normal float64 numbers."""
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def points(n: int, seed: int = 0, scale: float = 0.5) -> Tensor:
    """Random points [n, 3] around the origin."""
    return scale * normal(n, 3, seed=seed)


def built(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A module made with seeded weights, in float64; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().double()


@torch.no_grad()
def disturb(module: nn.Module, scale: float, seed: int) -> nn.Module:
    """Add normal noise to all parameters, so that none is zero."""
    source = generator(seed)
    for parameter in module.parameters():
        parameter += scale * torch.randn(parameter.shape, dtype=parameter.dtype, generator=source)
    return module


def tiny_geometry(seed: int = 0, *, noise: float = 0.05, widths=(24, 24, 24), skip_in=(2,), n_octaves=2, **options):
    """A geometry network, initialised to about a sphere, then disturbed."""
    options = {"n_features": N_FEATURES, **options}
    make = lambda: Geometry(widths, skip_in=skip_in, n_octaves=n_octaves, **options)  # noqa: E731
    return disturb(built(make, seed), noise, seed + 100)


def tiny_deformer(seed: int = 0, *, canonical: PosedHead | None = None, noise: float = 0.03, **options) -> Deformer:
    """A deformer whose blendshapes, correctives and skinning weights all vary in space."""
    canonical = canonical_head() if canonical is None else canonical
    options = {"widths": (16, 16, 16), "n_expression": canonical.expression.shape[1], **options}
    return disturb(built(lambda: Deformer(canonical, **options), seed), noise, seed + 200)


def tiny_texture(seed: int = 0, *, noise: float = 0.05, **options) -> Texture:
    """A texture network."""
    options = {"n_features": N_FEATURES, "n_octaves": 2, "condition_size": N_EXPRESSION + 3, **options}
    return disturb(built(lambda: Texture((16, 16), **options), seed), noise, seed + 300)


def rotation(*axis_angle: float) -> Tensor:
    """A rotation matrix, float64."""
    return axis_angle_to_matrix(torch.tensor(axis_angle, dtype=torch.float64))


def canonical_head(*, ghost: bool = False, n_expression: int = N_EXPRESSION, latent_size: int = 0) -> PosedHead:
    """The canonical pose: the jaw turned about a joint, made-up pose features, zero expression."""
    transforms = torch.eye(4, dtype=torch.float64).repeat(N_JOINTS, 1, 1)
    joint = torch.tensor([0.0, -0.1, 0.05], dtype=torch.float64)
    turn = rotation(CANONICAL_JAW_ANGLE, 0.0, 0.0)
    transforms[Joint.JAW] = rigid_transform(turn, joint - turn @ joint)
    return PosedHead(
        expression=torch.zeros(1, n_expression, dtype=torch.float64),
        texture_condition=torch.tensor([[0.0] * n_expression + [CANONICAL_JAW_ANGLE, 0.0, 0.0]], dtype=torch.float64),
        pose_feature=0.2 * normal(1, POSE_FEATURE_SIZE, seed=7),
        bone_transforms=_with_ghost(transforms, ghost)[None],
        latent=torch.zeros(1, latent_size, dtype=torch.float64),
    )


def posed_head(
    seed: int = 1, *, amplitude: float = 0.3, ghost: bool = False, n_expression=N_EXPRESSION, latent_size: int = 0
) -> PosedHead:
    """A frame with random rigid transforms, expression, pose features and latent code."""
    turns = axis_angle_to_matrix(amplitude * normal(N_JOINTS, 3, seed=seed))
    shifts = 0.3 * amplitude * normal(N_JOINTS, 3, seed=seed + 1)
    expression = normal(1, n_expression, seed=seed + 2)
    return PosedHead(
        expression=expression,
        texture_condition=torch.cat([expression, amplitude * normal(1, 3, seed=seed + 3)], dim=1),
        pose_feature=amplitude * normal(1, POSE_FEATURE_SIZE, seed=seed + 4),
        bone_transforms=_with_ghost(rigid_transform(turns, shifts), ghost)[None],
        latent=normal(1, latent_size, seed=seed + 5),
    )


def conditioned(head: PosedHead) -> PosedHead:
    """A frame whose latent code is its expression and pose feature, as baselines are conditioned on."""
    return replace(head, latent=torch.cat([head.latent, head.expression, head.pose_feature], dim=1))


def _with_ghost(transforms: Tensor, ghost: bool) -> Tensor:
    identity = torch.eye(4, dtype=torch.float64)[None]
    return torch.cat([identity, transforms]) if ghost else transforms


def moved(module: nn.Module, name: str, direction: Tensor, step: float) -> nn.Module:
    """A copy of a module with one of its parameters moved."""
    module = copy.deepcopy(module)
    with torch.no_grad():
        module.get_parameter(name).add_(step * direction)
    return module


def slopes(function) -> dict[str, torch.Tensor]:
    """Derivatives by s at 0 of the values of function(s): central differences of fourth order."""
    far_before, before, after, far_after = (function(s * STEP) for s in (-2, -1, 1, 2))
    return {
        name: (8 * (after[name] - before[name]) - (far_after[name] - far_before[name])) / (12 * STEP) for name in before
    }


class FieldOracle(FrameSDF):
    """A signed distance without a network; tests say which."""

    def __init__(self):
        """Nothing is needed."""


class SphereField(FieldOracle):
    """Signed distance of a sphere, as a bound geometry gives it."""

    def __init__(self, radius: float | Tensor = 0.6, centre: Tensor | None = None):
        self.radius = radius
        self.centre = torch.zeros(3, dtype=torch.float64) if centre is None else centre

    def __call__(self, x_c: Tensor) -> Tensor:
        return (x_c - self.centre.to(x_c)).norm(dim=-1) - self.radius

    def with_gradient(self, x_c: Tensor) -> tuple[Tensor, Tensor]:
        """Distances and their unit gradients."""
        offset = x_c - self.centre.to(x_c)
        return self(x_c), offset / offset.norm(dim=-1, keepdim=True)


class AffineDeformer(FrameDeformation):
    """x -> A x + t, as a bound deformer gives it; all bones share the map."""

    def __init__(self, matrix: Tensor, translation: Tensor, n_bones: int = N_JOINTS):
        self.matrix, self.translation = matrix, translation
        self.transforms = rigid_transform(matrix, translation).expand(n_bones, 4, 4)
        self.canonical_transforms = torch.eye(4, dtype=matrix.dtype).expand(n_bones, 4, 4)

    def __call__(self, x_c: Tensor) -> Tensor:
        return transform_points(self.transforms[0].to(x_c), x_c)

    def with_jacobian(self, x_c: Tensor) -> tuple[Tensor, Tensor]:
        """Deformed points and A for each."""
        return self(x_c), self.blended_rotation(x_c)

    def blended_rotation(self, x_c: Tensor) -> Tensor:
        """A for each point."""
        return self.matrix.to(x_c).expand(len(x_c), 3, 3)


class IdentityDeformer(AffineDeformer):
    """x -> x."""

    def __init__(self, n_bones: int = N_JOINTS):
        super().__init__(torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), n_bones)


def rays_from(origins: Tensor, targets: Tensor) -> RayBundle:
    """Unit rays of one frame from points to points; origins are broadcast."""
    origins, targets = torch.broadcast_tensors(origins, targets)
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    return RayBundle(origins.clone(), directions, torch.zeros(len(targets), dtype=torch.long))


def frontal_rays(n: int, seed: int = 0, spread: float = 0.2, distance: float = 3.0) -> RayBundle:
    """Rays from the front, from one eye point, to random points near the centre."""
    eye = torch.tensor([0.1, -0.05, distance], dtype=torch.float64)
    return rays_from(eye, points(n, seed, spread))
