"""Face-parsing labels by BiSeNet, the network that the authors use.

Its weights come from CelebAMask-HQ, whose terms allow non-commercial research and education only: they are fetched and
used where they are asked for by name.
"""

import io
import logging
import pickle

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from imavatar.anatomy import ParsingLabel
from imavatar.assets import ASSETS, asset_bytes, assets_dir
from imavatar.errors import AssetError
from imavatar.preprocessing.bisenet import TRAINING_ONLY, BiSeNet
from imavatar.preprocessing.class_labels import places_in_face
from imavatar.preprocessing.landmarks import FaceLandmarks, Image, Region
from imavatar.preprocessing.multiclass import CHIN, FOREHEAD, face_height

logger = logging.getLogger(__name__)

ASSET = "bisenet"
SIZE = 512
"""Pixels of the network's input."""
SIDE, RISE = 2.2, 0.1
"""Of the face's height: side of the square that the network sees, and how far its middle is above the face's. So are
the pictures that it was trained on."""
PAIRS = (
    (ParsingLabel.LEFT_BROW, ParsingLabel.RIGHT_BROW),
    (ParsingLabel.LEFT_EYE, ParsingLabel.RIGHT_EYE),
    (ParsingLabel.LEFT_EAR, ParsingLabel.RIGHT_EAR),
)
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours in [0, 1]."""


class FaceParser:
    """Image and landmarks -> labels at the image's size; background outside the square around the head.

    Raises:
        AssetError: the weights have not been fetched, or do not fit.
    """

    def __init__(self):
        content = asset_bytes(ASSET)
        try:
            weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            kept = {name: values for name, values in weights.items() if not name.startswith(TRAINING_ONLY)}
            network = BiSeNet()
            network.load_state_dict(kept)
        except (RuntimeError, pickle.UnpicklingError, AttributeError) as error:
            raise AssetError(f"{assets_dir() / ASSETS[ASSET].target} has no weights of BiSeNet ({error})") from error
        logger.warning("face parsing by BiSeNet: %s", ASSETS[ASSET].package.licence)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network = network.eval().to(self._device)

    def __call__(self, rgb: Image, face: FaceLandmarks) -> UInt8[np.ndarray, "h w"]:
        """Face-parsing labels."""
        window = parsed_window(face)
        height, width = rgb.shape[:2]
        logits = self._logits(window.crop(rgb, SIZE))
        labels = logits.argmax(axis=0).astype(np.uint8)
        flags = cv2.INTER_NEAREST
        return cv2.warpAffine(labels, window.to_image(SIZE), (width, height), flags=flags)

    def _logits(self, image: Float[np.ndarray, "s s 3"]) -> Float[np.ndarray, "19 s s"]:
        normalised = (image - np.array(MEAN, np.float32)) / np.array(SPREAD, np.float32)
        batch = torch.from_numpy(normalised).permute(2, 0, 1)[None].to(self._device)
        with torch.inference_mode():
            return self._network(batch)[0].cpu().numpy()


def parsed_window(face: FaceLandmarks) -> Region:
    """The upright square that the network sees; the head may be tilted in it."""
    chin, top = face.points[CHIN], face.points[FOREHEAD]
    return Region((chin + top) / 2 + RISE * (top - chin), SIDE * face_height(face), 0.0)


def with_parsed(
    labels: UInt8[np.ndarray, "h w"], parsed: UInt8[np.ndarray, "h w"], face: FaceLandmarks
) -> UInt8[np.ndarray, "h w"]:
    """Labels of the person, replaced by the parser's where it sees any.

    The parser does not tell left from right, as mirrored pictures were shown to it: sides are those of the face.
    """
    seen = (labels != ParsingLabel.BACKGROUND) & (parsed != ParsingLabel.BACKGROUND)
    left = places_in_face(face, *labels.shape)[..., 0] > 0
    sided = parsed.copy()
    for pair in PAIRS:
        sided[np.isin(parsed, pair)] = pair[1]
        sided[np.isin(parsed, pair) & left] = pair[0]
    return np.where(seen, sided, labels)
