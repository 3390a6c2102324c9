"""What all browsers of a viewer share: what can be looked at, and how it is served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from imavatar.types import HeadParameters, View
from imavatar.viewer.access import LOOPBACK
from imavatar.viewer.controls import Control


@dataclass(frozen=True)
class Scene:
    """What browsers can move, and where they look from at first.

    `motions` can be played, by their names; `neutral` is the head where none is, one row. `view` (with one
    camera) is where browsers look from, but from a little farther away; they orbit around the point in the middle of
    its picture that is nearest to `centre`, world space, model units.
    """

    controls: Sequence[Control]
    motions: Mapping[str, HeadParameters]
    neutral: HeadParameters
    view: View
    centre: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class ViewerSettings:
    """How a scene is shown and served.

    Motions have `fps` frames a second. Images have about `size` x `size` pixels, in a browser's proportions. The server
    listens at the interface `host` ("0.0.0.0": all) and at `port`.
    """

    fps: float = 25.0
    size: int = 512
    host: str = LOOPBACK
    port: int = 8080
