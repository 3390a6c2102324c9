"""What a fit of the head looks for."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.numerics.rotations import compose_rotations


@dataclass
class Unknowns:
    """What is optimised.

    `iris_bias` is by how much irises are detected further out and up than they are, as shares of the face's height.
    `lids` is how far the right and the left lid are closed (1: quite) besides what `expression` does.
    `rotation` turns the whole body once per place that it is seen in (see `Observations.place`); it leans by `lean` in
    the image, against the clock, and the head moves by `neck`. `image_position` holds the head's
    position in the image (units of its width, y up) and the logarithm of the model units that the image's width covers
    at its depth: a change of the focal length then leaves the head where it appears and as large as it appears.
    """

    shape: Float[Tensor, "100"]
    expression: Float[Tensor, "n 50"]
    lids: Float[Tensor, "n 2"]
    rotation: Float[Tensor, "places 3"]
    lean: Float[Tensor, " n"]
    neck: Float[Tensor, "n 3"]
    jaw: Float[Tensor, "n 3"]
    iris_bias: Float[Tensor, " 2"]
    gaze: Float[Tensor, "n 2 2"]  # right and left eye; about x and y
    image_position: Float[Tensor, "n 3"]
    log_focal: Float[Tensor, ""]  # of the focal length in image widths
    depth_offset: Float[Tensor, " t"]  # of the features that are followed; see FeatureReprojection

    def pose(self, place: Int[Tensor, " n"]) -> Float[Tensor, "n 15"]:
        """FLAME's pose vectors: global, neck, jaw, left eye, right eye."""
        eyes = torch.nn.functional.pad(self.gaze, (0, 1))
        lean = torch.nn.functional.pad(self.lean[:, None], (2, 0))
        body = compose_rotations(lean, self.rotation[place])
        return torch.cat([body, self.neck, self.jaw, eyes[:, 1], eyes[:, 0]], dim=1)

    def translation(self) -> Float[Tensor, "n 3"]:
        """World to camera, model units."""
        extent = self.image_position[:, 2].exp()
        depth = -self.log_focal.exp() * extent
        return torch.stack([self.image_position[:, 0] * extent, self.image_position[:, 1] * extent, depth], dim=1)
