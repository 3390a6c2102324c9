"""Which pixels of a frame a training step sees (docs/method.md, section 10)."""

import hashlib

import torch
from jaxtyping import Float, Int
from torch import Tensor


def generator_for(seed: int, epoch: int, frame: int) -> torch.Generator:
    """The random numbers of one frame in one epoch: a resumed run draws what an unbroken one does.

    The three numbers are hashed, since seeds that differ by small steps give related streams.
    """
    digest = hashlib.blake2b(f"{seed},{epoch},{frame}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def sample_pixels(
    n: int, height: int, width: int, bbox: Float[Tensor, " 4"], generator: torch.Generator
) -> Int[Tensor, "m 2"]:
    """Pixels (u, v): one half uniform over the image, the other from inside the landmarks' box.

    Neither half repeats a pixel, but a pixel can be in both. Pixels on the border of the box are outside. A box or an
    image with too few pixels gives fewer, so m <= n. `bbox` is u_min, v_min, u_max, v_max in pixels.
    """
    n_box = n // 2
    anywhere = torch.randperm(height * width, generator=generator)[: n - n_box]
    inside = _pixels_inside(bbox, height, width)
    chosen = torch.randperm(len(inside), generator=generator)[:n_box]
    index = torch.cat([anywhere, inside[chosen]])
    return torch.stack([index % width, index // width], dim=-1)


def _pixels_inside(bbox: Float[Tensor, " 4"], height: int, width: int) -> Int[Tensor, " k"]:
    """Row-major indices of the pixels strictly inside the box."""
    u_min, v_min, u_max, v_max = bbox.tolist()
    u, v = torch.arange(width), torch.arange(height)
    u = u[(u > u_min) & (u < u_max)]
    v = v[(v > v_min) & (v < v_max)]
    return (v[:, None] * width + u[None, :]).flatten()
