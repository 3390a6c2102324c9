"""The camera that a synthetic subject is seen by."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from imavatar.anatomy import HEAD_SCALE


@dataclass(frozen=True)
class StudioCamera:
    """A camera that looks at `centre`, along -z unless it is turned; metres, in the frame of the head's template.

    `width` is what the image shows of the plane through `centre`, at right angles to the view. `yaw` and `pitch`
    (radians) carry it around the centre, to the subject's left and up (cameras look along their -z:
    docs/data_format.md, section 4).
    """

    size: int
    centre: tuple[float, float, float] = (0.0, -0.03, 0.0)
    distance: float = 1.25
    width: float = 0.32
    yaw: float = 0.0
    pitch: float = 0.0

    @property
    def intrinsics(self) -> Float[np.ndarray, " 4"]:
        """fx, fy, cx, cy in units of the image size, fx negative.

        Mitsuba's pixel centres are half a pixel right of and below the integer coordinates of the files.
        """
        focal = self.distance / self.width
        middle = 0.5 - 0.5 / self.size
        return np.array([-focal, focal, middle, middle])

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Rows: the camera's x, y and z axis in the world."""
        turned = Rotation.from_euler("YX", [self.yaw, -self.pitch]).as_matrix()
        return turned.T

    @property
    def position(self) -> Float[np.ndarray, " 3"]:
        """Where the camera is, metres."""
        return np.array(self.centre) + self.distance * self.axes[2]

    @property
    def world_mat(self) -> Float[np.ndarray, "3 4"]:
        """World to camera, model units."""
        return np.concatenate([self.axes, -HEAD_SCALE * (self.axes @ self.position)[:, None]], axis=1)

    @property
    def field_of_view(self) -> float:
        """Horizontal angle in degrees."""
        return float(np.degrees(2 * np.arctan(self.width / 2 / self.distance)))

    def project(self, points: Float[np.ndarray, "v 3"]) -> tuple[Float[np.ndarray, "v 2"], Float[np.ndarray, " v"]]:
        """Pixels (integer coordinates at pixel centres) and depths of points in model units."""
        local = points @ self.axes.T + self.world_mat[:, 3]
        fx, fy, cx, cy = self.size * self.intrinsics
        pixels = np.stack([cx + fx * local[:, 0] / local[:, 2], cy + fy * local[:, 1] / local[:, 2]], axis=-1)
        return pixels, -local[:, 2]
