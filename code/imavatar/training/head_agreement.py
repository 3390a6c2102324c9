"""How far an avatar's deformer is off the head model's own deformation, by region of the face, in millimetres."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.anatomy import MM_PER_UNIT
from imavatar.head.flame import Flame
from imavatar.types import HeadParameters, PosedHead

PREFIX = "off_head_"
"""Of the names under which the numbers are logged."""
HELD_OUT = "_held_out"
"""At the end of the names of those that are of frames that were not trained."""
MOST = 0.9
"""The quantile that is given beside the mean."""
MOST_SUFFIX = "_90"
MOST_VERTICES = 400
"""Of a region, that are measured in every epoch."""
N_FRAMES = 12
"""Frames of a set of parameters that are measured, evenly spaced."""

Regions = Mapping[str, Int[np.ndarray, " k"]]
Deform = Callable[[PosedHead], Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n 3"]]]


@torch.no_grad()
def deformer_errors(deform: Deform, flame: Flame, regions: Regions, head: HeadParameters) -> dict[str, float]:
    """Distances of d(x_c), at the head's canonical vertices, from the head's deformed vertices.

    Millimetres, over all vertices of a region and all frames: the mean under the region's name, and the 90 % quantile
    under that name with `_90`. A region without vertices is left out.

    Args:
        deform: from a frame (one row) to its deformation of canonical points, as `Avatar.for_frame`.
        flame: the head model with the subject's shape.
        regions: vertices by the regions' names, as `imavatar.head.face_regions` gives them.
        head: parameters of the frames, a row each.
    """
    rows, places = _of_all(flame, regions)
    posed = flame(head)
    truth = flame.posed_vertices(posed)[:, rows]
    x_c = flame.canonical_vertices[rows]
    found = torch.stack([deform(posed[k : k + 1])(x_c) for k in range(len(posed))])
    return _by_region(found - truth, places)


@torch.no_grad()
def expression_motion(flame: Flame, regions: Regions, head: HeadParameters) -> dict[str, float]:
    """How far the expression moves the head's vertices in frames, by their own pose; as `deformer_errors`."""
    rows, places = _of_all(flame, regions)
    neutral = HeadParameters(torch.zeros_like(head.expression), head.pose)
    return _by_region((flame.vertices(head) - flame.vertices(neutral))[:, rows], places)


def _of_all(flame: Flame, regions: Regions) -> tuple[Int[Tensor, " n"], dict[str, slice]]:
    """The vertices of all regions, one region after the other, and where each region is among them."""
    device = flame.faces_tensor.device
    parts = {name: torch.as_tensor(rows, device=device) for name, rows in regions.items() if len(rows)}
    ends = np.cumsum([0, *(len(rows) for rows in parts.values())]).tolist()
    places = {name: slice(*ends[k : k + 2]) for k, name in enumerate(parts)}
    rows = torch.cat(list(parts.values())) if parts else torch.zeros(0, dtype=torch.long, device=device)
    return rows, places


def _by_region(difference: Float[Tensor, "b n 3"], places: Mapping[str, slice]) -> dict[str, float]:
    distance = MM_PER_UNIT * difference.norm(dim=-1)
    found = {}
    for name, place in places.items():
        own = distance[:, place].flatten()
        found[name], found[name + MOST_SUFFIX] = float(own.mean()), float(own.quantile(MOST))
    return found


@dataclass(frozen=True)
class HeadAgreement:
    """What is measured of a training after every epoch.

    Attributes:
        deform: the avatar's deformation, as `Avatar.for_frame`.
        flame: the head model with the subject's shape.
        regions: vertices by the regions' names.
        trained: gives the parameters of some training frames, as they are now.
        held_out: parameters of some frames that are not trained; None where there are none.
    """

    deform: Deform
    flame: Flame
    regions: Regions
    trained: Callable[[], HeadParameters]
    held_out: HeadParameters | None

    def scalars(self) -> dict[str, float]:
        """The errors of the training frames and of those that are held out, by the names that the log has for them."""
        found = self._errors(self.trained(), "")
        if self.held_out is not None:
            found |= self._errors(self.held_out, HELD_OUT)
        return found

    def motion_line(self) -> str:
        """How far the training frames' expressions move the head, in one line."""
        return _line("the expression moves the head", expression_motion(self.flame, self.regions, self.trained()))

    def _errors(self, head: HeadParameters, suffix: str) -> dict[str, float]:
        errors = deformer_errors(self.deform, self.flame, self.regions, head)
        return {f"{PREFIX}{name}{suffix}": value for name, value in errors.items()}


def agreement_line(scalars: Mapping[str, float]) -> str:
    """The numbers of `HeadAgreement.scalars` among those of an epoch in one line; empty where there are none."""
    own = {name.removeprefix(PREFIX): value for name, value in scalars.items() if name.startswith(PREFIX)}
    trained = {name: value for name, value in own.items() if not name.endswith(HELD_OUT)}
    held_out = {name.removesuffix(HELD_OUT): value for name, value in own.items() if name.endswith(HELD_OUT)}
    parts = (("deformer off the head", trained), ("held out", held_out))
    return "; ".join(_line(title, values) for title, values in parts if values)


def _line(title: str, values: Mapping[str, float]) -> str:
    names = [name for name in values if not name.endswith(MOST_SUFFIX)]
    each = (f"{name.replace('_', ', ')} {values[name]:.2f} ({values[name + MOST_SUFFIX]:.2f})" for name in names)
    return f"{title}, mm (90 %): {'; '.join(each)}"


def some_vertices(regions: Regions) -> dict[str, Int[np.ndarray, " k"]]:
    """Every so many-th vertex of regions with many: what is measured in every epoch."""
    return {name: rows[:: max(1, -(-len(rows) // MOST_VERTICES))] for name, rows in regions.items()}


def some_rows(n: int) -> list[int]:
    """The evenly spaced ones of n frames that are measured."""
    return np.unique(np.linspace(0, n - 1, N_FRAMES).round().astype(int)).tolist()
