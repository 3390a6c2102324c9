"""An avatar that is a sphere with a known colour, and a head that only says what was asked of it."""

from dataclasses import dataclass

import torch

from imavatar.head.flame import Flame
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.image import RenderedImage
from imavatar.rendering.surface_mesh import avatar_mesh
from imavatar.types import HeadParameters, PosedHead

RADIUS = 0.6


class RecordingFlame(Flame):
    """Stands for the head model: the bone transforms shift the head by the first expression coefficient."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.register_buffer("v_template", torch.zeros(4, 3))
        self.seen: list[HeadParameters] = []

    def forward(self, head: HeadParameters, latent=None) -> PosedHead:
        self.seen.append(head)
        transforms = torch.eye(4).repeat(len(head), 1, 1, 1)
        transforms[:, 0, 0, 3] = head.expression[:, 0]
        return PosedHead(
            expression=head.expression,
            texture_condition=torch.cat([head.expression, head.pose[:, 6:9]], dim=1),
            pose_feature=torch.zeros(len(head), 36),
            bone_transforms=transforms,
            latent=torch.zeros(len(head), 0) if latent is None else latent,
        )


@dataclass(frozen=True)
class Shading:
    """The part of a shading that meshes use."""

    rgb: torch.Tensor


class SphereAvatar(Avatar):
    """A sphere in canonical space; its deformer applies the first bone; its colour is 2 x_c / 3 radii."""

    def __init__(self, radius: float = RADIUS):
        torch.nn.Module.__init__(self)
        self.radius = radius

    @property
    def deformer(self):
        return self

    def field(self, posed):
        return lambda x: x.norm(dim=-1) - self.radius

    def for_frame(self, posed):
        transform = posed.bone_transforms[0, 0]
        return lambda x: x @ transform[:3, :3].T + transform[:3, 3]

    def appearance(self, x, head, **options):
        return Shading(2 / 3 * x / self.radius)


class PlaybackRenderer:
    """Returns prepared images one after the other."""

    def __init__(self, images: list[RenderedImage], avatar=None):
        self.images = images
        self.avatar = SphereAvatar() if avatar is None else avatar
        self.calls = []

    def render(self, camera, posed, height, width) -> RenderedImage:
        self.calls.append((camera, posed, height, width))
        image = self.images[(len(self.calls) - 1) % len(self.images)]
        assert image.rgb.shape == (height, width, 3)
        return image

    def mesh(self, posed, resolution):
        return avatar_mesh(self.avatar, posed, resolution=resolution)


def perfect_rendering(frame) -> RenderedImage:
    """What a perfect avatar would render of a frame of a data set; its normals look at the camera."""
    alpha = frame.foreground.float()
    normal = alpha[..., None] * torch.tensor([0.0, 0.0, 1.0])
    return RenderedImage(rgb=frame.image, normal=normal, alpha=alpha, depth=alpha)
