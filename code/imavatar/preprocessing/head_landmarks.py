"""Where the landmarks lie on a head model: found once by looking at it, and kept beside its file."""

import logging
from pathlib import Path

from imavatar.data.workplace import alone
from imavatar.files.locks import LOCK_FILE
from imavatar.head.assets import HeadAssets
from imavatar.head.landmarks import (
    LandmarkEmbedding,
    compute_embedding,
    embedding_path,
    load_embedding,
    save_embedding,
)
from imavatar.preprocessing.detectors import landmarker, single_image_detector

logger = logging.getLogger(__name__)


def head_landmarks(head_path: Path, assets: HeadAssets) -> LandmarkEmbedding:
    """The landmarks of a head model; computed and kept beside it at the first use.

    Raises:
        AssetError: a model of the detector has not been fetched, or the kept file is damaged or of another head.
        BusyError: another process is writing beside the head model.
    """
    path = embedding_path(head_path)
    if path.is_file():
        return load_embedding(path, assets)
    with alone(path.with_name(LOCK_FILE), "the search for a head model's landmarks"):
        if path.is_file():  # made since by another process
            return load_embedding(path, assets)
        logger.info("finding the landmarks of %s ...", head_path)
        embedding = compute_embedding(assets, single_image_detector(landmarker("mediapipe")))
        save_embedding(path, embedding, assets)
    return embedding
