"""What is measured: an avatar of a head, and frames of it with strong expressions and poses."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from imavatar import build
from imavatar.anatomy import Joint, SemanticClass, pose_slice
from imavatar.baselines.names import IMAVATAR
from imavatar.config import Config, load_config
from imavatar.data.images import N_CLASSES
from imavatar.data.sampling import generator_for, sample_pixels
from imavatar.errors import ConfigError
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.numerics.rasterize import rasterize
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.camera import project, view_depth
from imavatar.training.frame_parameters import FrameParameters, OptimisedInputs
from imavatar.training.learning_rates import parameter_groups
from imavatar.training.objective import Objective
from imavatar.training.step import Run
from imavatar.training.warm_start import warm_start
from imavatar.types import Batch, Camera, HeadParameters
from imavatar_lab.benchmark.reference import ReferenceAvatar
from imavatar_lab.parity.architecture import avatar_of_checkpoint, flame_of_checkpoint
from imavatar_lab.parity.fixture import load_fixture

SEED = 0
N_FRAMES = 4
WARM_START_STEPS = 300
FOCAL = 3.0
"""Of the image's size."""
FACE_MOVES = 0.01
"""Model units: vertices that expressions move by more are the face, which half of the rays look at."""


@dataclass(frozen=True)
class Scene:
    """One avatar and its frames; `plain` has the same networks and the paper's search."""

    run: Run
    plain: Run
    objective: Objective
    config: Config
    flame: Flame
    faces: Tensor
    face: Tensor

    @property
    def avatar(self) -> Avatar:
        """The avatar with the proxy search."""
        return self.run.avatar

    def head(self, frame: int) -> HeadParameters:
        """One frame's parameters."""
        return self.run.frames.head(torch.tensor([frame], device=self.flame.v_template.device))

    def camera(self, size: int) -> Camera:
        """A camera before the head, with square images."""
        return camera_before(self.flame, size)

    def batch(self, frame: int, size: int, n_rays: int, draw: int = 0) -> Batch:
        """A training step's rays, one half of them in the face's box; all of the head is skin."""
        camera, head = self.camera(size), self.head(frame)
        vertices = self.flame.vertices(HeadParameters(head.expression.detach(), head.pose.detach()))
        pixels = project(camera, vertices)[0]
        depth = view_depth(camera, vertices)[0]
        covered = rasterize(pixels.cpu().numpy(), depth.cpu().numpy(), self.faces.cpu().numpy(), (size, size)).covered
        face = pixels[self.face]
        box = torch.cat([face.amin(dim=0), face.amax(dim=0)]).cpu()
        chosen = sample_pixels(n_rays, size, size, box, generator_for(SEED, draw, frame))
        foreground = torch.from_numpy(covered)[chosen[:, 1], chosen[:, 0]]
        semantics = torch.zeros(len(chosen), N_CLASSES)
        semantics[foreground, SemanticClass.SKIN] = 1
        semantics[~foreground, SemanticClass.BACKGROUND] = 1
        rgb = torch.where(foreground[:, None], torch.tensor([0.5, 0.2, 0.0]), torch.ones(3))
        return Batch(
            frame=torch.tensor([frame]),
            camera=camera,
            head=head,
            pixels=chosen.float(),
            rays_frame=torch.zeros(len(chosen), dtype=torch.long),
            rgb=rgb.expand(len(chosen), 3),
            foreground=foreground,
            semantics=semantics,
        )


def build_scene(conf: Path, reference: Path | None, device: torch.device) -> Scene:
    """The avatar of a configuration, regressed to its head; or of a reference checkpoint, with its head.

    Args:
        reference: a folder laid out as `scripts/check_parity.py` takes it.
    """
    config = load_config(conf)
    if config.model.method != IMAVATAR:
        raise ConfigError(f"{conf}: model.method is {config.model.method!r}, expected {IMAVATAR!r}: the paper's search")
    torch.manual_seed(SEED)
    if reference is None:
        assets = build.build_head_assets(config)
        flame = build.build_flame(config, assets, torch.zeros(100)).to(device)
        avatar = build.build_avatar(config, flame).to(device)
        surface = build.build_head_surface(flame, assets)
        bound = config.model.ray_tracer.object_bounding_sphere
        generator = torch.Generator().manual_seed(SEED)
        warm_start(avatar, surface, flame.canonical_head, n_steps=WARM_START_STEPS, bound=bound, generator=generator)
    else:
        assets, flame, avatar = _of_reference(reference, device)
        surface = build.build_head_surface(flame, assets)
    avatar.search = build.build_search(config, "proxy")
    plain = ReferenceAvatar(avatar.geometry, avatar.deformer, avatar.texture, build.build_search(config, "paper"))
    frames = _frames(config, flame, avatar, device)
    return Scene(
        run=_run(config, avatar, flame, frames),
        plain=_run(config, plain, flame, frames),
        objective=build.build_objective(config, surface),
        config=config,
        flame=flame,
        faces=flame.faces_tensor,
        face=_moving_vertices(flame),
    )


def _of_reference(folder: Path, device: torch.device) -> tuple[HeadAssets, Flame, Avatar]:
    fixture = load_fixture(folder)
    inputs = fixture.inputs("")
    shape = inputs["shape_params"].reshape(-1) if "shape_params" in inputs else None
    flame = flame_of_checkpoint(fixture.head, fixture.state, shape)
    avatar = avatar_of_checkpoint(fixture.state, flame, compat=False)
    return fixture.head, flame.to(device), avatar.to(device)


def _frames(config: Config, flame: Flame, avatar: Avatar, device: torch.device) -> FrameParameters:
    """Frames of random expressions with an open mouth and a turned head."""
    generator = torch.Generator().manual_seed(SEED)
    n_expression = avatar.deformer.n_expression
    expression = torch.zeros(N_FRAMES, n_expression)
    n_strong = min(10, n_expression)
    expression[:, :n_strong] = torch.randn(N_FRAMES, n_strong, generator=generator)
    pose = torch.zeros(N_FRAMES, 15)
    for joint, spread in ((Joint.GLOBAL, 0.1), (Joint.NECK, 0.15), (Joint.LEFT_EYE, 0.1), (Joint.RIGHT_EYE, 0.1)):
        pose[:, pose_slice(joint)] = spread * torch.randn(N_FRAMES, 3, generator=generator)
    pose[:, pose_slice(Joint.JAW).start] = torch.linspace(0.05, 0.35, N_FRAMES)
    camera = camera_before(flame, 256)
    cameras = Camera(camera.intrinsics.repeat(N_FRAMES, 1), camera.world_from_camera.repeat(N_FRAMES, 1, 1))
    return FrameParameters(
        HeadParameters(expression, pose).to(device),
        cameras,
        optimised=OptimisedInputs(),
        latent_size=avatar.geometry.latent_size,
        generator=generator,
    ).to(device)


def camera_before(flame: Flame, size: int) -> Camera:
    """A camera that looks along -z at the middle of the head, which fills about half of the image."""
    vertices = flame.canonical_vertices
    middle = (vertices.amin(dim=0) + vertices.amax(dim=0)) / 2
    extent = float((vertices.amax(dim=0) - vertices.amin(dim=0))[:2].max())
    world = torch.eye(4).to(vertices)
    world[:3, 3] = middle + torch.tensor([0.0, 0.0, FOCAL * 1.35 * extent]).to(vertices)
    intrinsics = torch.tensor([[-FOCAL * size, FOCAL * size, size / 2, size / 2]]).to(vertices)
    return Camera(intrinsics, world[None])


def _moving_vertices(flame: Flame) -> Tensor:
    fields = flame.vertex_fields()
    return fields.shapedirs.square().sum(dim=(1, 2)).sqrt() > FACE_MOVES


def _run(config: Config, avatar: Avatar, flame: Flame, frames: FrameParameters) -> Run:
    groups = parameter_groups(avatar, config.train.learning_rate, config.train.learning_rates)
    rate = config.train.learning_rate_cam
    return Run(
        avatar=avatar,
        flame=flame,
        frames=frames,
        optimiser=torch.optim.Adam(groups),
        frame_optimiser=torch.optim.SparseAdam(frames.trainable(), lr=rate),
        rates=[group["lr"] for group in groups],
        frame_rate=rate,
    )
