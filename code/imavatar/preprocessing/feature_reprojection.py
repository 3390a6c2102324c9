"""How well a rigid head explains the features that were followed through the frames."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.preprocessing.feature_tracks import FeatureTracks


class FeatureReprojection:
    """Reprojection of features that are rigidly attached to the head.

    A feature lies on the ray through its pixel in the frame where it was found; its depth is unknown. `depth_offset` is
    how much nearer to the camera it is there than the head's origin, model units.
    """

    def __init__(self, tracks: FeatureTracks, like: Float[Tensor, "*_"]):
        def tensor(array):
            return torch.as_tensor(np.asarray(array)).to(like)

        self.start_frame, self.start = torch.as_tensor(tracks.start_frame), tensor(tracks.start)
        self.track, self.frame = torch.as_tensor(tracks.track), torch.as_tensor(tracks.frame)
        self.points, self.weight = tensor(tracks.points), tensor(tracks.weight)

    def project(
        self,
        head: Float[Tensor, "n 3 4"],
        depth_offset: Float[Tensor, " t"],
        focal: Float[Tensor, ""],
        centre: Float[Tensor, " 2"],
        track: Int[Tensor, " m"],
        frame: Int[Tensor, " m"],
    ) -> Float[Tensor, "m 2"]:
        """Features in frames, continuous pixels.

        Args:
            head: from the head at rest to the camera, a frame each.
            focal: in pixels.
            centre: the principal point, continuous pixels.
        """
        flip = centre.new_tensor([1.0, -1.0])
        rays = torch.cat([(self.start - centre) / focal * flip, -torch.ones_like(depth_offset)[:, None]], dim=1)
        start = head[self.start_frame]
        depth = -start[:, 2, 3] - depth_offset
        offset = rays * depth[:, None] - start[..., 3]
        at_rest = (start[..., :3].transpose(1, 2) @ offset[..., None])[..., 0]
        here = head[frame]
        points = (here[..., :3] @ at_rest[track][..., None])[..., 0] + here[..., 3]
        scale = focal / (-points[:, 2]).clamp(min=0.05)
        return centre + points[:, :2] * flip * scale[:, None]

    def distances(
        self,
        head: Float[Tensor, "n 3 4"],
        depth_offset: Float[Tensor, " t"],
        focal: Float[Tensor, ""],
        centre: Float[Tensor, " 2"],
    ) -> Float[Tensor, " m"]:
        """Distances of all sightings from where the fit puts them, pixels; arguments as of `project`."""
        difference = self.project(head, depth_offset, focal, centre, self.track, self.frame) - self.points
        return (difference.square().sum(dim=-1) + 1e-12).sqrt()
