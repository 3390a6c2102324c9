"""The outline of a head and its hair in the fit: one body, whatever its form, that is seen from all sides.

Landmarks lie within a few centimetres of depth, and a head that nods less but has a longer nose looks the same. What the
outline shows lies a hand's breadth behind them: where the face goes up, it goes down.

How far a convex body reaches from its centre in a direction N is its support function h(N). At a point of the outline,
the plane through the camera and the outline's tangent touches the body. If N is its normal, and the camera lies at the
origin, the head turned by R with its centre at c, then h(Rᵀ N) = -N · c. This is linear in h.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from imavatar.anatomy import ParsingLabel

BODY = (ParsingLabel.NECK, ParsingLabel.NECKLACE, ParsingLabel.CLOTH)
BLUR = 1.5
"""Pixels, as a share of 256: standard deviation by which the outline of the labels is softened."""
SIDE = 256
CLEAR = 4.0
"""Pixels of these outside the outline where there must be background."""
POINTS = 64
WIDEST = np.radians(110)
"""Points of a frame's outline, evenly along it."""
DIRECTIONS, SHARPNESS = 80, 12.0
"""Where the support function has values of its own, and how fast their influence falls."""
STIFFNESS = 1e-5
"""Against the mean square of the residuals: how much a value counts that differs from the head model's."""
LOWEST = -0.1
"""Least upward component, in the head's axes, of a normal: below, hair hangs and the neck begins."""
SCALE = 0.5
"""Hundredths of the face's height from which on a residual counts less and less."""
ROUNDS = 3


@dataclass(frozen=True)
class Outline:
    """Points of an outline in continuous pixels, and its outward normals in the image."""

    points: Float[np.ndarray, "k 2"]
    normals: Float[np.ndarray, "k 2"]


def head_outline(labels: UInt8[np.ndarray, "h w"]) -> Outline:
    """Where a head with its hair ends against the background; no points where there is none."""
    scale = labels.shape[0] / SIDE
    # A picture of its own size is measured as finely as a small one: outlines are smooth.
    head = (~np.isin(labels, (ParsingLabel.BACKGROUND, *BODY))).astype(np.float32)
    soft = cv2.GaussianBlur(head, (0, 0), BLUR * scale)
    down, right = np.gradient(cv2.GaussianBlur(head, (0, 0), 2 * BLUR * scale))
    found, _ = cv2.findContours((soft > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return Outline(np.zeros((0, 2)), np.zeros((0, 2)))
    column, row = max(found, key=len)[:, 0].T
    slope = np.stack([right[row, column], down[row, column]], axis=1)
    steep = np.linalg.norm(slope, axis=1)
    normals = -slope / np.maximum(steep, 1e-6)[:, None]
    points = np.stack([column, row], axis=1) + 0.5
    # A pixel is inside by more than it is out: to where the softened edge passes one half.
    edge = cv2.GaussianBlur(head, (0, 0), BLUR * scale)[row, column] - 0.5
    local = np.linalg.norm(np.stack([g[row, column] for g in np.gradient(soft)]), axis=0)
    points = points + normals * (edge / np.maximum(local, 1e-3)).clip(0, 1)[:, None]
    place = np.floor(points + CLEAR * scale * normals).astype(int)
    inside = ((place >= 0) & (place < labels.shape[::-1])).all(axis=1)
    clear = np.zeros(len(points), bool)
    clear[inside] = labels[place[inside, 1], place[inside, 0]] == ParsingLabel.BACKGROUND
    # Where a line that comes from outside touches the head first: a parting of the hair has no part in it.
    angle = np.linspace(-WIDEST, WIDEST, POINTS)
    normals = np.stack([np.sin(angle), -np.cos(angle)], axis=1)
    touched = (points @ normals.T).argmax(axis=0)
    kept = clear[touched]
    return Outline(points[touched[kept]], normals[kept])


@dataclass(frozen=True)
class _Unused:
    pass


class OutlineTerm:
    """How far outlines are from those of one body that moves with the head.

    Args:
        labels: face-parsing labels of a frame.
        reach: the head model's own vertices of the skull above the eyes, at rest, model units.
        centre: in the middle of them, at the eyes' height.
    """

    def __init__(self, outlines: list[Outline], skull: Float[Tensor, "m 3"], centre: Float[Tensor, " 3"]):
        kept = [k for k in outlines]
        self.frame = torch.cat([torch.full((len(o.points),), k) for k, o in enumerate(kept)]).long()
        like = skull
        self.points = like.new_tensor(np.concatenate([o.points for o in kept]))
        self.normals = like.new_tensor(np.concatenate([o.normals for o in kept]))
        self.centre = centre
        self.upright = None
        self.low, self.above = LOWEST, 0.0
        self.directions = like.new_tensor(_even_directions(DIRECTIONS))
        self.bald = ((skull - centre) @ self.directions.T).amax(dim=0)
        self.used = torch.ones(len(self.frame), dtype=torch.bool)

    def look(self, head: Float[Tensor, "n 3 4"], focal: Tensor, principal: tuple[float, float]) -> None:
        """Choose the points that lie above the eyes, as far as the fit has come."""
        self.used = torch.ones(len(self.frame), dtype=torch.bool)
        self.upright = self._mean_rotation(head)
        turned, _ = self._planes(head, focal, principal)
        rotation, position = head[self.frame, :, :3], self._position(head)[self.frame]
        ray = self._rays(focal, principal)
        at = ray * (-position[:, 2:]) - position
        height = torch.einsum("kij,ki->kj", rotation, at)[:, 1]
        self.used = (turned[:, 1] > self.low) & (height > self.above)

    def __call__(
        self, head: Float[Tensor, "n 3 4"], focal: Tensor, principal: tuple[float, float], unit: Float[Tensor, " n"]
    ) -> Tensor:
        turned, reach = self._planes(head, focal, principal)
        frame = self.frame[self.used]
        # Millimetres at the head are pixels over the size of one there.
        size = focal / -self._position(head)[frame, 2] / unit[frame]
        basis = self._basis(turned)
        with torch.no_grad():
            value = self._values(basis, reach, size)
        off = (basis @ value - reach) * size / SCALE
        return SCALE**2 * (1 + off.square()).log().mean()

    def _values(self, basis, reach, size):
        """Of the support function, in the directions; robust least squares."""
        weight, bald = size.square(), torch.cat([self.bald, self.bald.new_zeros(3)])
        stiff = torch.cat([torch.ones_like(self.bald), self.bald.new_full((3,), 1e-4)])
        n = len(reach)
        thick = (reach - basis @ bald).median()
        prior = STIFFNESS * n * size.square().mean()
        for _ in range(ROUNDS):
            a = (basis * weight[:, None]).T @ basis + prior * stiff.diag()
            b = (basis * weight[:, None]).T @ reach + prior * stiff * (bald + thick)
            value = torch.linalg.solve(a, b)
            off = (basis @ value - reach) * size / SCALE
            weight = size.square() / (1 + off.square())
        return value

    def _basis(self, turned):
        return torch.cat([torch.softmax(SHARPNESS * turned @ self.directions.T, dim=1), turned], dim=1)

    def _mean_rotation(self, head):
        left, _, right = torch.linalg.svd(head[:, :, :3].mean(dim=0))
        return left @ right

    def _position(self, head):
        return head[:, :, :3] @ self.centre + head[:, :, 3]

    def _rays(self, focal, principal):
        flat = (self.points - self.points.new_tensor([float(x) for x in principal])) / focal
        return torch.stack([flat[:, 0], -flat[:, 1], -torch.ones_like(flat[:, 0])], dim=1)

    def _planes(self, head, focal, principal):
        points, normals, frame = self.points[self.used], self.normals[self.used], self.frame[self.used]
        beside = (normals * (points - points.new_tensor([float(x) for x in principal]))).sum(dim=1)
        plane = torch.stack([normals[:, 0] * focal, -normals[:, 1] * focal, beside], dim=1)
        plane = torch.nn.functional.normalize(plane, dim=1)
        turned = torch.einsum("kij,ki->kj", head[frame, :, :3], plane)
        # The form is of the heads as they are turned on average.
        turned = turned @ self._mean_rotation(head).T @ self.upright
        return turned, -(plane * self._position(head)[frame]).sum(dim=1)


def _even_directions(n: int) -> Float[np.ndarray, "n 3"]:
    """Directions spread evenly over the sphere (Fibonacci's lattice)."""
    k = np.arange(n) + 0.5
    z, turn = 1 - 2 * k / n, np.pi * (1 + np.sqrt(5)) * k
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)
