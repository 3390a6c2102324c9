"""Where a detector that errs as it is known to would see the landmarks of a head, rather than where they are."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.head.detector_bias import DetectorBias
from imavatar.head.landmarks import N_LANDMARKS


class Misplacement:
    """What a detector's bias adds to projected points.

    Args:
        bias: of the detector, as measured on the head model.
        like: a tensor whose type and device are those of all others.
    """

    def __init__(self, bias: DetectorBias, like: Tensor):
        self._turn, self._gaze = (like.new_tensor(np.asarray(value)) for value in (bias.turn, bias.gaze))

    def __call__(
        self,
        rotation: Float[Tensor, "n 3 3"],
        position: Float[Tensor, "n 3"],
        gaze: Float[Tensor, "n 2 2"],
    ) -> Float[Tensor, "n 470 2"]:
        """Offsets of landmarks and pupils in the image (x right, y down), shares of the face's height.

        Args:
            rotation: of the head, from rest to the camera's axes (y up, looking along -z).
            position: of the head in the camera's axes; a head that faces the camera from the side is not turned.
            gaze: of the right and left eye about x and y in the head, radians.
        """
        pitch, yaw, roll = turned_from_sight(rotation, position)
        angles = torch.stack([pitch, yaw], dim=1)
        offset = torch.einsum("na,lax->nlx", angles, self._turn)
        pupils = offset[:, N_LANDMARKS:] + torch.einsum("nea,eax->nex", gaze, self._gaze)
        offset = torch.cat([offset[:, :N_LANDMARKS], pupils], dim=1)
        # The detector works on an upright crop of the face. Seen with y down, a positive roll is against the clock.
        cos, sin = roll.cos(), roll.sin()
        upright = torch.stack([torch.stack([cos, sin], dim=-1), torch.stack([-sin, cos], dim=-1)], dim=1)
        return offset @ upright.transpose(1, 2)


def turned_from_sight(
    rotation: Float[Tensor, "n 3 3"], position: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """How far heads are turned down, to their left, and about the line of sight, from facing the camera; radians.

    `rotation` is roll after yaw after pitch, and `position` the head's in the camera's axes.
    """
    roll = torch.atan2(rotation[:, 1, 0], rotation[:, 0, 0])
    cos, sin = roll.cos(), roll.sin()

    def unrolled(vector: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor, Tensor]:
        x, y, z = vector.unbind(dim=1)
        return cos * x + sin * y, cos * y - sin * x, z

    facing, to_camera = unrolled(rotation[:, :, 2]), unrolled(-position)
    (pitch, yaw), (pitch_of_sight, yaw_of_sight) = (
        (torch.atan2(-y, (x.square() + z.square()).sqrt()), torch.atan2(x, z)) for x, y, z in (facing, to_camera)
    )
    return pitch - pitch_of_sight, yaw - yaw_of_sight, roll
