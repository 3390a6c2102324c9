"""The face's interior, where the method's published metrics are measured (docs/method.md, section 11)."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.evaluation.keypoints import N_IBUG


def face_interior(keypoints: Float[Tensor, "k 2"], height: int, width: int) -> Bool[Tensor, "h w"]:
    """Pixels in the convex hull of the 68 landmarks.

    Args:
        keypoints: pixel coordinates (x, y), pixel centres at whole numbers; points beyond the first 68 do not count.
    """
    points = keypoints[:N_IBUG].detach().cpu().numpy().astype(np.float32)
    hull = cv2.convexHull(points)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1)
    return torch.from_numpy(mask.astype(bool))
