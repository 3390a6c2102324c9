"""Do the landmarks of a rendering lie where the head model has them?"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from imavatar.evaluation.metrics import mean_point_distance

N_IBUG = 68

Detector = Callable[[UInt8[np.ndarray, "h w 3"]], Float[np.ndarray, "68 2"] | None]
"""Finds the 68 iBUG landmarks of an RGB image, in the pixel coordinates of the data set; None without a face."""


def keypoint_error(
    rendering: UInt8[np.ndarray, "h w 3"],
    keypoints: Float[Tensor, "k 2"],
    detect: Detector | None,
) -> float | None:
    """Mean distance in pixels between the landmarks found in a rendering and the projected ones of the head model.

    None where no detector is given or it finds no face. Points beyond the first 68 (the irises) do not count.
    """
    found = None if detect is None else detect(rendering)
    if found is None:
        return None
    if np.shape(found) != (N_IBUG, 2):
        raise ValueError(f"a detector gives {N_IBUG} points [68, 2], not {np.shape(found)}")
    return mean_point_distance(torch.as_tensor(np.asarray(found)), keypoints[:N_IBUG].cpu())
