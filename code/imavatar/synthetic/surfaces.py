"""What a renderer is given: posed surfaces and strands, with their colours and labels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from imavatar.anatomy import ParsingLabel


@dataclass(frozen=True)
class Surface:
    """A posed piece of the subject, model units, with linear RGB per vertex.

    `labels` is one label for all faces; None for the skin, whose labels depend on the place.
    """

    name: str
    vertices: Float[np.ndarray, "v 3"]
    normals: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    colours: Float[np.ndarray, "v 3"]
    roughness: float
    specular: float
    sheen: float = 0.0
    label: ParsingLabel | None = None


@dataclass(frozen=True)
class Curves:
    """Posed strands of one colour (linear RGB): control points of B-splines, model units; what they are seen as."""

    name: str
    points: Float[np.ndarray, "n k 3"]
    radius: float
    colour: tuple[float, float, float]
    label: ParsingLabel = ParsingLabel.HAIR
