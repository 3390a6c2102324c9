"""Frames of a data set measured and drawn, and the verdict on its cameras: pictures and a JSON file in a folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from imavatar.data.dataset import Frame
from imavatar.data.images import write_png
from imavatar.data.workplace import alone, remove_leftovers
from imavatar.data_check.conventions import Finding, diagnose_cameras
from imavatar.data_check.frame_figures import frame_figure
from imavatar.data_check.head_view import Agreement, agreement, landmark_pairs, track_head
from imavatar.files.atomic import write_text
from imavatar.files.locks import LOCK_FILE
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.head.landmarks import LandmarkEmbedding

SHEET = "contact_sheet.png"


@dataclass(frozen=True)
class DataCheck:
    """How well the tracked head agrees with every frame, by `<sub_dir>/<name>`, and the verdict on the cameras.

    `sheet` is the file with all pictures.
    """

    frames: dict[str, Agreement]
    finding: Finding
    sheet: Path

    def table(self) -> str:
        """The frames' numbers for a terminal."""
        lines = [f"{'frame':<20}{'landmarks':>18}{'in front':>10}{'in image':>10}{'on mask':>10}"]
        for name, found in self.frames.items():
            mask = "empty" if found.on_mask is None else f"{found.on_mask:.0%}"
            off = f"{found.landmark_error:.1f} px ({found.relative_error:.1%})"
            lines.append(f"{name:<20}{off:>18}{found.in_front:>10.0%}{found.in_image:>10.0%}{mask:>10}")
        return "\n".join(lines)


def check_frames(
    frames: Sequence[Frame], flame: Flame, assets: HeadAssets, embedding: LandmarkEmbedding | None, out: Path
) -> DataCheck:
    """Compare the tracked head with frames; write a picture of each, all in one, and `check_data.json` into a folder.

    Args:
        flame: the head model with the subject's shape.
        embedding: where the landmarks lie on the head model. Without it the recorded eyes are compared with its pupils.
        out: made if absent.

    Raises:
        BusyError: another process is writing there.
        DataError: a file cannot be written.
    """
    heads = [track_head(flame, assets, embedding, frame) for frame in frames]
    with alone(out / LOCK_FILE, "a check of data"):
        remove_leftovers(out)
        figures, measured = [], {}
        for frame, head in zip(frames, heads, strict=True):
            pairs = landmark_pairs(head, frame)
            measured[f"{frame.sub_dir}/{frame.name}"] = agreement(head, pairs, frame.camera, frame)
            figures.append(frame_figure(frame, head, flame))
            write_png(out / f"{frame.sub_dir}_{frame.name}.png", figures[-1])
        write_png(out / SHEET, np.concatenate(figures))
        finding = diagnose_cameras(heads, frames)
        content = {
            "consistent": finding.consistent,
            "verdict": str(finding),
            "relative_error": finding.errors,
            "on_mask": finding.on_mask,
            "frames": {name: asdict(found) for name, found in measured.items()},
        }
        write_text(out / "check_data.json", json.dumps(content, indent=1))
    return DataCheck(measured, finding, out / SHEET)
