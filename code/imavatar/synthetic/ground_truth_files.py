"""What is known beside the pictures: of a sequence vertices, landmarks and how each frame was made; of a person
the open head that comes closest."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from imavatar.anatomy import HEAD_SCALE, Joint, pose_slice
from imavatar.files.atomic import write_arrays, write_text
from imavatar.head.assets import HeadAssets
from imavatar.synthetic.makehuman_person import vertex_error
from imavatar.synthetic.people import Person
from imavatar.synthetic.recording import SequenceSpec
from imavatar.synthetic.sequences import Sequence, pairs_together
from imavatar.synthetic.settings import writing
from imavatar.synthetic.studio import Studio

FOLDER = Path("ground_truth")
VERTICES, LANDMARKS, FRAMES = "vertices.npz", "landmarks.npz", "frames.csv"
FIT_FILE = "closest_head.json"


@torch.no_grad()
def write_truth(spec: SequenceSpec, studio: Studio, sequence: Sequence) -> None:
    """Write `ground_truth/` of a sequence: metres in world space, pixels with integers at their centres.

    `vertices.npz` holds `vertices` [n, v, 3] and `faces` [f, 3] of the head's mesh, without hair and clothes;
    `landmarks.npz` the face's landmarks as `points` [n, l, 3] and `pixels` [n, l, 2]; `frames.csv` a row a frame: which
    part of the sequence it is of, its bin of extrapolation, the largest amplitude of a unit, the jaw's angle in
    radians, and how many of the pairs that training lacks are together.

    Raises:
        DataError: the folder cannot be written.
    """
    folder, flame = spec.folder / FOLDER, studio.subject.flame
    vertices = [flame.vertices(frame.parameters)[0].numpy() / HEAD_SCALE for frame in spec.frames]
    landmarks = [studio.landmarks(frame) for frame in spec.frames]
    motion = sequence.motion
    rows = zip(
        range(1, len(sequence) + 1),
        sequence.part,
        sequence.level.tolist(),
        motion.amplitudes.max(axis=1).round(4).tolist(),
        motion.pose[:, pose_slice(Joint.JAW).start].round(4).tolist(),
        pairs_together(motion).tolist(),
        strict=True,
    )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_arrays(
            folder / VERTICES, vertices=np.stack(vertices).astype(np.float32), faces=flame.faces_tensor.numpy()
        )
        write_arrays(
            folder / LANDMARKS,
            points=(np.stack([found.points for found in landmarks]) / HEAD_SCALE).astype(np.float32),
            pixels=np.stack([found.pixels for found in landmarks]).astype(np.float32),
        )
        text = io.StringIO()
        csv.writer(text).writerows([("frame", "part", "level", "strength", "jaw", "unseen_pairs"), *rows])
        write_text(folder / FRAMES, text.getvalue())


def write_fit(path: Path, person: Person, head: HeadAssets, sequences: dict[str, Sequence]) -> None:
    """Write how close the open head comes to a person, over the skin's vertices, joints at rest; and who it is.

    Raises:
        DataError: the file cannot be written.
    """
    skin, errors = np.unique(head.part_faces("skin")), {}
    for name, sequence in sequences.items():
        off = vertex_error(person.raw, head, person.closest, sequence.motion.amplitudes)[:, skin]
        percentile = float(np.percentile(off, 95))
        errors[name] = {"mean": float(off.mean()), "percentile_95": percentile, "largest": float(off.max())}
    content = {
        "years": person.years,
        "look": {**asdict(person.appearance), "hair": person.appearance.hair.value},
        "shape": person.closest.shape.tolist(),
        "error_mm": errors,
    }
    with writing(path):
        write_text(path, json.dumps(content, indent=1) + "\n")
