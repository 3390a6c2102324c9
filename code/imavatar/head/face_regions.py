"""Which vertices of a head's mesh are lips, lids, brows and nose, and which are the rest of the face."""

import numpy as np
from jaxtyping import Int

from imavatar.anatomy import Joint
from imavatar.head.assets import HeadAssets
from imavatar.head.face_skin import face_skin
from imavatar.head.landmarks import LandmarkEmbedding
from imavatar.head.mesh_points import LEFT_BROW, LEFT_EYE, LIPS_INNER, LIPS_OUTER, NOSE, RIGHT_BROW, RIGHT_EYE

FACE_REGIONS = ("lips", "lids", "brows_nose", "face")
"""Names of the regions; `face` is the skin of the face that belongs to none of the others."""

LANDMARKS = {
    "lips": (*LIPS_OUTER, *LIPS_INNER),
    "lids": (*RIGHT_EYE, *LEFT_EYE),
    "brows_nose": (*RIGHT_BROW, *LEFT_BROW, *NOSE),
}
REACH = {"lips": 0.004, "lids": 0.004, "brows_nose": 0.008}
"""Metres on the resting head: a vertex this close to a landmark of a region belongs to it; the first region counts."""
EYEBALL = 0.5
"""Skinning weight from which on a vertex turns with an eye, and is no skin."""


def face_regions(assets: HeadAssets, embedding: LandmarkEmbedding) -> dict[str, Int[np.ndarray, " k"]]:
    """Vertices of each of FACE_REGIONS, those of `imavatar.head.face_skin` shared out; a region may have none.

    Args:
        assets: the head model.
        embedding: where the landmarks lie on it.
    """
    eyeball = assets.weights[:, [Joint.LEFT_EYE, Joint.RIGHT_EYE]].sum(axis=1) > EYEBALL
    skin = face_skin(assets, embedding)
    left = skin[~eyeball[skin]]
    template = assets.v_template.astype(np.float64)
    landmarks = np.einsum("lk,lkx->lx", embedding.barycentric, template[assets.faces[embedding.faces]])
    found = {}
    for name, rows in LANDMARKS.items():
        distance = np.linalg.norm(template[left, None] - landmarks[list(rows)], axis=-1).min(axis=1)
        found[name], left = left[distance <= REACH[name]], left[distance > REACH[name]]
    return {**found, "face": left}
