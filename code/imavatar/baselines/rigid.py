"""The head's rigid pose as a deformation, from head space, where backward methods have their surface."""

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.anatomy import N_JOINTS, Joint
from imavatar.fields.functions import Deformation
from imavatar.numerics.linalg import transform_points
from imavatar.types import PosedHead


def head_transform(head: PosedHead) -> Float[Tensor, "4 4"]:
    """From head space to deformed space: the transform of the neck's joint, which carries the head (one row)."""
    return head.bone_transforms[0, -N_JOINTS + Joint.NECK]


class RigidMotion:
    """x_h -> x_d = T x_h, with what surface searches ask of a deformation; it has no network.

    `transforms` and `canonical_transforms` make every bone's rigid guess the exact solution.
    """

    def __init__(self, head: PosedHead):
        self.transform = head_transform(head)
        n_bones = head.bone_transforms.shape[1]
        self.transforms = self.transform.expand(n_bones, 4, 4)
        self.canonical_transforms = torch.eye(4).to(self.transform).expand(n_bones, 4, 4)

    @property
    def deformer(self) -> "RigidMotion":
        """What `features` are asked of."""
        return self

    def features(self, x: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n 0"], Float[Tensor, "n 0"]]:
        """Nothing: the motion is the same everywhere."""
        return x.new_zeros(len(x), 0), x.new_zeros(len(x), 0)

    def from_features(self, x: Float[Tensor, "n 3"], hidden: Tensor, weights: Tensor) -> Float[Tensor, "n 3"]:
        """As `__call__`."""
        return self(x)

    def __call__(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        return transform_points(self.transform.to(x), x)

    def blended_rotation(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
        """The rotation, for each point."""
        return self.transform[:3, :3].to(x).expand(len(x), 3, 3)

    def with_jacobian(self, x: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3 3"]]:
        """Deformed points and the rotation."""
        return self(x), self.blended_rotation(x)

    def evaluate(self, x: Float[Tensor, "n 3"]) -> Deformation:
        """Deformed points, the rotation, and no features."""
        return Deformation(self(x), self.blended_rotation(x), *self.features(x))
