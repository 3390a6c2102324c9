"""Rotations of three-dimensional space."""

import torch
from jaxtyping import Float
from torch import Tensor

TINY = 1e-12
"""Added to a squared length, so that its root has a gradient where it is zero."""


def cross_product_matrix(vector: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """The matrix K with K w = vector x w."""
    x, y, z = vector.unbind(dim=-1)
    zero = torch.zeros_like(x)
    rows = [torch.stack(row, dim=-1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    return torch.stack(rows, dim=-2)


def compose_rotations(last: Float[Tensor, "*b 3"], first: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """Axis-angle vector of the rotation by `first`, then by `last`, by quaternions; its angle is below pi."""
    (w2, v2), (w1, v1) = (_quaternion(vector) for vector in (last, first))
    w = w2 * w1 - (v2 * v1).sum(dim=-1, keepdim=True)
    v = w2 * v1 + w1 * v2 + torch.linalg.cross(v2, v1)
    w, v = w.abs(), v * torch.where(w < 0, -1.0, 1.0)
    length = (v.square().sum(dim=-1, keepdim=True) + TINY).sqrt()
    return v * 2 * torch.atan2(length, w) / length


def _quaternion(rotation_vector: Float[Tensor, "*b 3"]) -> tuple[Float[Tensor, "*b 1"], Float[Tensor, "*b 3"]]:
    """Its real and its imaginary part."""
    angle = (rotation_vector.square().sum(dim=-1, keepdim=True) + TINY).sqrt()
    return (angle / 2).cos(), rotation_vector * (angle / 2).sin() / angle


def axis_angle_to_matrix(rotation_vector: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Rotation matrices of axis-angle vectors in radians (Rodrigues), with finite gradients at zero.

    R = I + a K + b K^2 with a = sin(t)/t and b = (1 - cos(t))/t^2. Near zero, where both quotients lose their digits,
    their Taylor series are used; the double `where` keeps the unused branch finite, and with it its gradient.
    """
    squared = rotation_vector.square().sum(dim=-1)
    small = squared < 1e-6
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    a = torch.where(small, 1 - squared / 6 + squared.square() / 120, angle.sin() / angle)
    b = torch.where(small, 0.5 - squared / 24 + squared.square() / 720, (1 - angle.cos()) / safe)
    k = cross_product_matrix(rotation_vector)
    identity = torch.eye(3, dtype=k.dtype, device=k.device)
    return identity + a[..., None, None] * k + b[..., None, None] * (k @ k)
