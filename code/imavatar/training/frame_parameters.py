"""What a frame brings besides its image: expression, pose, camera, latent code, optimised where asked for."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from imavatar.anatomy import Joint, pose_slice
from imavatar.types import Camera, HeadParameters


@dataclass(frozen=True)
class OptimisedInputs:
    """Which per-frame parameters are optimised; `optimize_camera`: the camera's centre and the head's pose."""

    optimize_latent_code: bool = False
    optimize_expression: bool = False
    optimize_camera: bool = True


class FrameParameters(nn.Module):
    """Per-frame parameters of all training frames.

    With `optimize_camera` the rotation of the camera is replaced by the identity, and the camera centre and the head's
    pose are optimised, as the reference does (docs/method.md, section 10). Tables that are not optimised stay as they
    were tracked. Heads and cameras have a row a frame. Latent codes, where they are used, start uniform in (0, 1).
    """

    def __init__(
        self,
        head: HeadParameters,
        camera: Camera,
        *,
        optimised: OptimisedInputs,
        latent_size: int,
        generator: torch.Generator,
    ):
        super().__init__()
        self.optimised = optimised
        latent = torch.rand(len(head), latent_size, generator=generator)
        self.expression = _table(head.expression, optimised.optimize_expression)
        self.flame_pose = _table(head.pose, optimised.optimize_camera)
        self.camera_pose = _table(camera.world_from_camera[:, :3, 3], optimised.optimize_camera)
        self.latent_codes = _table(latent, optimised.optimize_latent_code and latent_size > 0)
        centre = camera.world_from_camera[:, :3, 3]
        for name, tracked in (("expression", head.expression), ("pose", head.pose), ("centre", centre)):
            self.register_buffer(f"tracked_{name}", tracked.clone(), persistent=False)

    @property
    def tables(self) -> dict[str, nn.Embedding]:
        """The tables under the names of the checkpoint format."""
        return {name: getattr(self, name) for name in ("expression", "latent_codes", "flame_pose", "camera_pose")}

    def trainable(self) -> list[nn.Parameter]:
        """Weights of the tables that are optimised."""
        return [table.weight for table in self.tables.values() if table.weight.requires_grad]

    def head(self, frame: Int[Tensor, " b"]) -> HeadParameters:
        """Expression and pose of frames."""
        return HeadParameters(expression=self.expression(frame), pose=self.flame_pose(frame))

    def latent(self, frame: Int[Tensor, " b"]) -> Float[Tensor, "b l"]:
        """Latent codes of frames; zero wide where none are used."""
        return self.latent_codes(frame)

    def camera(self, frame: Int[Tensor, " b"], tracked: Camera) -> Camera:
        """Cameras of frames."""
        if not self.optimised.optimize_camera:
            return tracked
        world_from_camera = torch.eye(4, device=frame.device).repeat(len(frame), 1, 1).to(self.camera_pose.weight.dtype)
        world_from_camera[:, :3, 3] = self.camera_pose(frame)
        return replace(tracked, world_from_camera=world_from_camera)

    @torch.no_grad()
    def all_frames(self, tracked: Camera) -> tuple[HeadParameters, Camera]:
        """Heads and cameras of all frames, a row each; `tracked` are the data set's cameras."""
        frame = torch.arange(len(self.tracked_pose), device=self.tracked_pose.device)
        return self.head(frame), self.camera(frame, tracked)

    @torch.no_grad()
    def centre(self) -> None:
        """Take the mean deviation from the tracked values out of every table that is optimised.

        What all frames have in common is the avatar's to learn: were it in these tables, frames that were not trained,
        which have tracked values, would show the avatar displaced by it.
        """
        tracked = (self.tracked_expression, self.tracked_pose, self.tracked_centre)
        for table, values in zip((self.expression, self.flame_pose, self.camera_pose), tracked, strict=True):
            if table.weight.requires_grad:
                table.weight -= (table.weight - values).mean(dim=0)

    def condition_std(self) -> Float[Tensor, " c"]:
        """Standard deviations over the tracked frames of what colours depend on: expression, jaw rotation."""
        jaw = self.tracked_pose[:, pose_slice(Joint.JAW)]
        return torch.cat([self.tracked_expression, jaw], dim=1).std(dim=0, correction=0)

    def deviations(self, frame: Int[Tensor, " b"]) -> dict[str, Tensor]:
        """Plain sums of squared differences from the tracked values, of what is optimised."""
        terms = {}
        if self.optimised.optimize_expression:
            terms["expression_reg"] = _squares(self.expression(frame), self.tracked_expression[frame])
        if self.optimised.optimize_camera:
            terms["pose_reg"] = _squares(self.flame_pose(frame), self.tracked_pose[frame])
            terms["cam_reg"] = _squares(self.camera_pose(frame), self.tracked_centre[frame])
        return terms


def _table(values: Float[Tensor, "n d"], optimised: bool) -> nn.Embedding:
    return nn.Embedding.from_pretrained(values.clone(), freeze=not optimised, sparse=True)


def _squares(value: Tensor, target: Tensor) -> Tensor:
    return (value - target).square().sum()
