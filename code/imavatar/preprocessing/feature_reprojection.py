"""How well a rigid head explains the features that were followed through the frames."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.preprocessing.feature_tracks import FeatureTracks

MIN_DEPTH = 0.05
"""In model units: the head stays in front of the camera, whatever a step of the optimiser does."""


def to_pixels(
    points: Float[Tensor, "*n 3"], focal: Float[Tensor, ""], centre: Float[Tensor, " 2"]
) -> Float[Tensor, "*n 2"]:
    """Points in the camera's axes (y up, looking along -z) as continuous pixels; arguments as of `project`."""
    scale = focal / (-points[..., 2]).clamp(min=MIN_DEPTH)
    return centre + points[..., :2] * points.new_tensor([1.0, -1.0]) * scale[..., None]


def distances(first: Float[Tensor, "*n 2"], second: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n"]:
    """Distances of points, with a gradient where they coincide."""
    return ((first - second).square().sum(dim=-1) + 1e-12).sqrt()


class FeatureReprojection:
    """Reprojection of features that are rigidly attached to the head.

    A feature lies on the ray through its pixel in the frame where it was found; its depth is unknown. `depth_offset` is
    how much nearer to the camera it is there than the head's origin, model units.
    """

    def __init__(self, tracks: FeatureTracks, like: Float[Tensor, "*_"]):
        indices = tracks.start_frame, tracks.track, tracks.frame
        values = tracks.start, tracks.points, tracks.weight
        self.start_frame, self.track, self.frame = (torch.as_tensor(part, device=like.device) for part in indices)
        self.start, self.points, self.weight = map(like.new_tensor, values)

    def project(
        self,
        head: Float[Tensor, "n 3 4"],
        depth_offset: Float[Tensor, " t"],
        focal: Float[Tensor, ""],
        centre: Float[Tensor, " 2"],
        track: Int[Tensor, " m"] | None = None,
        frame: Int[Tensor, " m"] | None = None,
    ) -> Float[Tensor, "m 2"]:
        """Features in frames, or all sightings, continuous pixels.

        `head` is from the head at rest to the camera, a frame each; `focal` and the principal point `centre` in pixels.
        """
        track, frame = (self.track, self.frame) if track is None else (track, frame)
        rays = torch.cat(
            [(self.start - centre) / focal * centre.new_tensor([1.0, -1.0]), -torch.ones_like(depth_offset)[:, None]],
            dim=1,
        )
        start = head[self.start_frame]
        depth = -start[:, 2, 3] - depth_offset
        offset = rays * depth[:, None] - start[..., 3]
        at_rest = (start[..., :3].transpose(1, 2) @ offset[..., None])[..., 0]
        here = head[frame]
        return to_pixels((here[..., :3] @ at_rest[track][..., None])[..., 0] + here[..., 3], focal, centre)
