"""Where the pictures of a comparison lie, and which are shown."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from imavatar.data.ground_truth import NORMALS, read_normals
from imavatar.data.images import read_colour, read_grey
from imavatar.rendering.image_export import normal_bytes
from imavatar_lab.reproduce.figures import Grid
from imavatar_lab.reproduce.plan import EXTRAPOLATION, INTERPOLATION, METHODS, VIEWS, Budget, Paths
from imavatar_lab.reproduce.results import Row

Image = UInt8[np.ndarray, "h w 3"]

TITLES = {INTERPOLATION: "interpolation", EXTRAPOLATION: "extrapolation", VIEWS: "novel view"}


class Pictures:
    """Of one subject: what was recorded, and what each method shows."""

    def __init__(self, paths: Paths, budget: Budget, subject: str):
        self.recordings = paths.data / subject / subject
        self._paths, self._budget, self._subject = paths, budget, subject

    def truth(self, sequence: str, frame: str) -> Image | None:
        """The recorded picture on white."""
        folder = self.recordings / sequence
        if not (folder / "image" / f"{frame}.png").is_file():
            return None
        image = read_colour(folder / "image" / f"{frame}.png", "image")
        mask = read_grey(folder / "mask" / f"{frame}.png", "mask") > 127
        return np.where(mask[..., None], image, np.uint8(255))

    def true_normals(self, sequence: str, frame: str) -> Image | None:
        """The recorded normals as colours."""
        path = self.recordings / sequence / NORMALS / f"{frame}.png"
        if not path.is_file():
            return None
        normals = torch.from_numpy(read_normals(path))
        return normal_bytes(normals, (normals.norm(dim=-1) > 0).float())

    def rendered(self, method: str, kind: str, sequence: str, frame: str) -> Image | None:
        """A method's `rgb` or `normal` picture; None where there is none."""
        (found,) = (known for known in METHODS if known.name == method)
        folder = self._paths.evaluation(self._budget, self._subject, found, sequence)
        path = folder / kind / f"{frame}.png"
        return read_colour(path, "rendering") if path.is_file() else None


def shown_frames(rows: Sequence[Row], subject: str) -> list[tuple[str, str]]:
    """Sequences and frames of a subject's grid: one of middling strength, the strongest, a view from the side."""
    chosen = []
    for sequence, share in ((INTERPOLATION, 0.5), (EXTRAPOLATION, 1.0), (VIEWS, 0.0)):
        frames = {r.frame: r.strength for r in rows if r.subject == subject and r.sequence == sequence}
        ordered = sorted(frames, key=lambda f: (frames[f], f)) if sequence != VIEWS else sorted(frames, key=int)
        if ordered:
            chosen.append((sequence, ordered[round(share * (len(ordered) - 1))]))
    return chosen


def subject_grid(pictures: Pictures, frames: Sequence[tuple[str, str]], methods: Sequence[str]) -> Grid:
    """Truth and methods, pictures and normals."""
    labels = {c.name: c.label for c in METHODS}
    rows = []
    for sequence, frame in frames:
        images = [pictures.rendered(m, "rgb", sequence, frame) for m in methods]
        rows.append((f"{TITLES[sequence]} {frame}", (pictures.truth(sequence, frame), *images)))
        normals = [pictures.rendered(m, "normal", sequence, frame) for m in methods]
        rows.append(("normals", (pictures.true_normals(sequence, frame), *normals)))
    return Grid(("ground truth", *(labels[m] for m in methods)), tuple(rows))
