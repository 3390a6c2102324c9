"""`scripts/check_data.py`: look at a data set, and verify its camera convention, before anything is trained on it."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from imavatar.cli.arguments import MOST_FRAMES, whole
from imavatar.cli.common import command
from imavatar.files.atomic import write_text
from imavatar.files.locks import LOCK_FILE

INCONSISTENT = 1
SHEET = "contact_sheet.png"


@command
def check_data_main(argv: list[str] | None = None) -> None:
    """Draw frames of a data set, print how the tracked head agrees with them; exit code 1 where it does not."""
    parser = argparse.ArgumentParser(description="Draw frames of a data set and verify its camera convention.")
    parser.add_argument("--conf", type=Path, required=True, help="configuration file (HOCON)")
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    parser.add_argument("--split", choices=("train", "test"), default="train", help="which sequences (default: train)")
    parser.add_argument(
        "--frames", type=whole(1, MOST_FRAMES), default=8, help="frames to look at, evenly spread (default: 8)"
    )
    parser.add_argument("--out", type=Path, help="folder of the pictures (default: check_data/<split> of the run)")
    check_data(parser.parse_args(argv))


def check_data(args: argparse.Namespace) -> None:
    """Measure, draw, diagnose."""
    import torch

    from imavatar import build
    from imavatar.config import load_config
    from imavatar.data.workplace import alone, remove_leftovers
    from imavatar.data_check.head_view import track_head

    config = build.with_subject(load_config(args.conf), args.subject)
    dataset = build.build_dataset(config, args.split)
    assets = build.build_head_assets(config)
    flame = build.build_flame(config, assets, dataset.shape_params)
    embedding = build.find_embedding(config, assets)
    if embedding is None:
        print("the head model has no landmark embedding: the recorded eyes are compared with its pupils instead")
    rows = torch.linspace(0, len(dataset) - 1, min(args.frames, len(dataset))).round().long().tolist()
    frames = [dataset.frame(row) for row in rows]
    heads = [track_head(flame, assets, embedding, frame) for frame in frames]

    out = args.out or build.build_run_folder(config).root / "check_data" / args.split
    with alone(out / LOCK_FILE, "a check of data"):
        remove_leftovers(out)
        finding = _draw(out, flame, frames, heads)
    print(f"pictures: {out / SHEET}")
    if finding.by_semantics:
        print("note: flame_keypoints are not the head's landmarks in iBUG's order, as the keypoint error needs them")
    print(finding)
    if not finding.consistent:
        sys.exit(INCONSISTENT)


def _draw(out: Path, flame, frames: list, heads: list):
    """Write pictures and numbers, and print the numbers; returns the finding."""
    from imavatar.data.images import write_png
    from imavatar.data_check.conventions import diagnose_cameras
    from imavatar.data_check.frame_figures import contact_sheet, frame_figure
    from imavatar.data_check.head_view import agreement, landmark_pairs

    sheets, measured = [], {}
    print(f"{'frame':<20}{'landmarks':>18}{'in front':>10}{'in image':>10}{'on mask':>10}")
    for frame, head in zip(frames, heads, strict=True):
        name, found = f"{frame.sub_dir}/{frame.name}", agreement(head, landmark_pairs(head, frame), frame.camera, frame)
        measured[name] = asdict(found)
        mask = "empty" if found.on_mask is None else f"{found.on_mask:.0%}"
        off = f"{found.landmark_error:.1f} px ({found.relative_error:.1%})"
        print(f"{name:<20}{off:>18}{found.in_front:>10.0%}{found.in_image:>10.0%}{mask:>10}")
        sheets.append(frame_figure(frame, head, flame))
        write_png(out / f"{frame.sub_dir}_{frame.name}.png", sheets[-1])
    write_png(out / SHEET, contact_sheet(sheets))
    finding = diagnose_cameras(heads, frames)
    content = {
        "consistent": finding.consistent,
        "verdict": str(finding),
        "relative_error": finding.errors,
        "on_mask": finding.on_mask,
        "frames": measured,
    }
    write_text(out / "check_data.json", json.dumps(content, indent=1))
    return finding
