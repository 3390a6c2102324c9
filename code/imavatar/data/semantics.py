"""Face-parsing labels to the nine soft channels of the method (docs/data_format.md, section 6)."""

import numpy as np
from jaxtyping import Float, UInt8

from imavatar.anatomy import PARSING_LABELS, SemanticClass
from imavatar.data.images import resize_bilinear

N_CLASSES = len(SemanticClass)


def class_of_label() -> UInt8[np.ndarray, " 256"]:
    """The semantic class of every byte; labels that no class names are background."""
    table = np.full(256, SemanticClass.BACKGROUND, dtype=np.uint8)
    for semantic_class, labels in PARSING_LABELS.items():
        table[list(labels)] = semantic_class
    return table


def one_hot(labels: UInt8[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 9"]:
    """One channel a class: 1 where a label belongs to it, 0 elsewhere."""
    return np.eye(N_CLASSES, dtype=np.float32)[class_of_label()[labels]]


def soft_channels(labels: UInt8[np.ndarray, "h w"], height: int, width: int) -> Float[np.ndarray, "height width 9"]:
    """The channels at another size, each resized bilinearly.

    A pixel has a class where its channel is exactly 1, so sums that rounding has moved beside 1 are put back.
    """
    channels = one_hot(labels)
    if labels.shape == (height, width):
        return channels
    soft = resize_bilinear(channels, height, width)
    return np.where(soft > 1 - 1e-6, np.float32(1), soft)
