"""What was detected in the frames of a subject, as what a fit works on."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from imavatar.preprocessing.head_outline import HeadOutlines
from imavatar.preprocessing.torso_motion import TorsoMotions


@dataclass(frozen=True)
class Observations:
    """Detections in all frames of a subject, in continuous pixels (a pixel's centre is at +0.5).

    `video` says which recording a frame is from and `time` its number there; frames may be missing in between.
    `iris_weight` is 0 where an eye is closed. Irises: right, then left eye. `principal_point` is in continuous pixels,
    the middle of the image where it is None. `outlines` are those of the head with its hair, `torso` how the clothes
    move; None where not looked for.
    """

    landmarks: Float[np.ndarray, "n 468 2"]
    irises: Float[np.ndarray, "n 2 2"]
    iris_weight: Float[np.ndarray, "n 2"]
    video: Int[np.ndarray, " n"]
    time: Int[np.ndarray, " n"]
    size: tuple[int, int]
    principal_point: tuple[float, float] | None = None
    outlines: HeadOutlines | None = None
    torso: TorsoMotions | None = None

    def __len__(self) -> int:
        return len(self.landmarks)

    def rows(self, index: Int[np.ndarray, " k"]) -> "Observations":
        """Some of the frames."""
        names = ("landmarks", "irises", "iris_weight", "video", "time")
        outlines = None if self.outlines is None else self.outlines.rows(index)
        torso = None if self.torso is None else self.torso.rows(index)
        return replace(self, outlines=outlines, torso=torso, **{name: getattr(self, name)[index] for name in names})

    @property
    def place(self) -> Int[np.ndarray, " n"]:
        """Which place the body is seen in: one of its own in each recording, unless the clothes say otherwise."""
        return self.video if self.torso is None else self.torso.place

    @property
    def face_height(self) -> Float[np.ndarray, " n"]:
        """Extent of the landmarks from the forehead to the chin, pixels."""
        return np.ptp(self.landmarks[..., 1], axis=1)

    @property
    def centre(self) -> tuple[float, float]:
        """The principal point, continuous pixels."""
        height, width = self.size
        return self.principal_point or (width / 2, height / 2)

    def triples(self) -> Int[np.ndarray, "k 3"]:
        """Indices of three frames in a row of the same recording, none missing in between."""
        first = np.arange(max(len(self) - 2, 0))
        last = first + 2
        together = self.video[first] == self.video[last]
        together &= self.time[last] - self.time[first] == 2
        return first[together, None] + np.arange(3)
