"""The outline of a head and its hair in the fit: one body, whatever its form, that moves with the head.

Landmarks lie within a few centimetres of depth: a head that nods less but has a longer nose looks the same. What the
outline shows is the middle of the head, a hand's breadth behind: where the face goes up, it goes down.

How far a body reaches from its centre in a direction is its support function h. A line that touches it in the image,
and the camera, span a plane that touches it in space. With the plane's normal N, the camera at the origin, the head
turned by R and its centre at c, h(Rᵀ N) = -N · c. That is linear in h, which is unknown and the same in all frames.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.preprocessing.frame_batch import some_frames
from imavatar.preprocessing.head_outline import HeadOutlines, line_normals

BATCH = 128
"""Frames that are compared at a time."""
N_DIRECTIONS, SHARPNESS = 80, 12.0
"""Directions in which the support function has values of its own, and how fast their influence falls off."""
STIFFNESS = 1e-5
"""What a value counts that differs from the bald head's by more than others do, for each line, against the line."""
FREE_CENTRE = 1e-4
"""As a share of this: what a shift of the body as a whole counts."""
LOWEST = -0.1
"""Least upward part, in the head's axes, of a normal: hair that hangs does not move with the head."""
SCALE = 0.5
"""Hundredths of the face's height from which on a distance counts less and less."""
ROUNDS = 3
"""Of weighting the lines by how far they are off."""
POLAR_ROUNDS = 12
"""Heads that are turned by up to 80 degrees from their mean need no more."""


class OutlineTerm:
    """Robust mean of the distances between the outlines and those of one body, in the image.

    A turn of the body against the head, and a shift, make no difference: both are fitted.

    Args:
        skull: the head model's vertices above the eyes, at rest, model units.
        outlines: of all frames.
        unit: pixels that count as one, of each frame.
        generator: chooses the frames of a step, where there are many.
    """

    def __init__(
        self,
        skull: Float[Tensor, "m 3"],
        outlines: HeadOutlines,
        unit: Float[Tensor, " n"],
        generator: torch.Generator,
    ):
        low, high = skull.amin(dim=0), skull.amax(dim=0)
        self._centre = torch.stack([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
        self._directions = unit.new_tensor(_even_directions(N_DIRECTIONS))
        self._bald = torch.cat([((skull - self._centre) @ self._directions.T).amax(dim=0), unit.new_zeros(3)])
        stiffness = [STIFFNESS] * N_DIRECTIONS + [STIFFNESS * FREE_CENTRE] * 3
        self._stiffness = unit.new_tensor(stiffness).diag()
        self._points, self._normals = unit.new_tensor(outlines.points), unit.new_tensor(line_normals())
        self._seen = self._used = torch.as_tensor(outlines.seen, device=unit.device)
        self._unit, self._generator = unit, generator
        self._mean_turn = torch.eye(3, dtype=unit.dtype, device=unit.device)

    @torch.no_grad()
    def look(self, head: Float[Tensor, "n 3 4"], focal: Float[Tensor, ""], centre: Float[Tensor, " 2"]) -> None:
        """Choose the lines that touch the head above the eyes, as far as the fit has come.

        Args:
            head: from the head at rest to the camera's axes (y up, looking along -z).
            focal, centre: focal length and principal point, continuous pixels.
        """
        every = torch.arange(len(head), device=head.device)
        self._mean_turn = _mean_rotation(head[..., :3])
        up = self._planes(every, head, focal, centre)[0][..., 1]
        flat = (self._points - centre) / focal
        sight = torch.stack([flat[..., 0], -flat[..., 1], -torch.ones_like(flat[..., 0])], dim=-1)
        place = self._place(head)[:, None]
        height = torch.einsum("nlj,nj->nl", sight * -place[..., 2:] - place, head[:, :, 1])
        self._used = self._seen & (up > LOWEST) & (height > 0)

    def __call__(
        self, head: Float[Tensor, "n 3 4"], focal: Float[Tensor, ""], centre: Float[Tensor, " 2"]
    ) -> Float[Tensor, ""]:
        """0 where one body explains all outlines; arguments as of `look`."""
        frames = self._batch()
        used = self._used[frames]
        turned, reach, scale = self._planes(frames, head, focal, centre)
        turned, reach, scale = turned[used], reach[used], scale[used]
        if not len(reach):
            return focal.new_zeros(())
        basis = torch.softmax(SHARPNESS * turned @ self._directions.T, dim=1)
        basis = torch.cat([basis, turned], dim=1)
        with torch.no_grad():
            form = self._form(basis, reach, scale)
        return SCALE**2 * (1 + self._off(form, basis, reach, scale).square()).log().mean()

    def _batch(self) -> Int[Tensor, " b"]:
        return some_frames(len(self._points), BATCH, self._generator).to(self._points.device)

    def _planes(
        self, frames: Int[Tensor, " b"], head: Float[Tensor, "n 3 4"], focal: Tensor, centre: Float[Tensor, " 2"]
    ) -> tuple[Float[Tensor, "b l 3"], Float[Tensor, "b l"], Float[Tensor, "b l"]]:
        """Of the planes through the camera and the lines: normals in the head's axes, how far they are from the head's
        centre, and units in the image that one model unit is there.
        """
        beside = ((self._points[frames] - centre) * self._normals).sum(dim=-1)
        across = (focal * self._normals * focal.new_tensor([1.0, -1.0])).expand(len(frames), -1, -1)
        normal = torch.nn.functional.normalize(torch.cat([across, beside[..., None]], dim=-1), dim=-1)
        place = self._place(head)[frames]
        # The body is seen against the heads' mean: a turn of all of them is the landmarks' to tell.
        own = _mean_rotation(head[..., :3]).T @ self._mean_turn
        turned = normal @ head[frames, :, :3] @ own
        scale = focal / -place[:, 2] / self._unit[frames]
        return turned, -(normal @ place[..., None])[..., 0], scale[:, None].expand_as(beside)

    def _place(self, head: Float[Tensor, "n 3 4"]) -> Float[Tensor, "n 3"]:
        """The centres of the heads."""
        return head[..., :3] @ self._centre + head[..., 3]

    def _form(
        self, basis: Float[Tensor, "k d"], reach: Float[Tensor, " k"], scale: Float[Tensor, " k"]
    ) -> Float[Tensor, " d"]:
        """The support function that explains the lines best, as coefficients of the basis."""
        thickness = (reach - basis @ self._bald).median()
        usual = self._bald + thickness * (self._stiffness.diag() > STIFFNESS * FREE_CENTRE)
        stiffness = len(reach) * scale.square().mean() * self._stiffness
        weight = scale.square()
        for _ in range(ROUNDS):
            weighted = (basis * weight[:, None]).T
            form = torch.linalg.solve(weighted @ basis + stiffness, weighted @ reach + stiffness @ usual)
            weight = scale.square() / (1 + self._off(form, basis, reach, scale).square())
        return form

    @staticmethod
    def _off(
        form: Float[Tensor, " d"], basis: Float[Tensor, "k d"], reach: Float[Tensor, " k"], scale: Float[Tensor, " k"]
    ) -> Float[Tensor, " k"]:
        """Distances in the image from which on they count less and less."""
        return (basis @ form - reach) * scale / SCALE


def _mean_rotation(rotations: Float[Tensor, "n 3 3"]) -> Float[Tensor, "3 3"]:
    """The rotation with the least sum of squared differences from these: the mean's polar factor, by Newton and Schulz.

    The derivative of a singular value decomposition is not defined where singular values are equal, as here.
    """
    mean = rotations.mean(dim=0)
    for _ in range(POLAR_ROUNDS):
        mean = 1.5 * mean - 0.5 * mean @ mean.T @ mean
    return mean


def _even_directions(n: int) -> Float[np.ndarray, "n 3"]:
    """Directions spread evenly over the sphere (Fibonacci's lattice)."""
    k = np.arange(n) + 0.5
    y, turn = 1 - 2 * k / n, np.pi * (1 + np.sqrt(5)) * k
    r = np.sqrt(1 - y * y)
    return np.stack([r * np.cos(turn), y, r * np.sin(turn)], axis=1)
