"""`scripts/check_data.py`: look at a data set, and verify its camera convention, before anything is trained on it."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from imavatar.cli.common import run_command

INCONSISTENT = 1


def check_data_main(argv: list[str] | None = None) -> None:
    """Draw frames of a data set, print how the tracked head agrees with them; exit code 1 where it does not."""
    parser = argparse.ArgumentParser(description="Draw frames of a data set and verify its camera convention.")
    parser.add_argument("--conf", type=Path, required=True, help="configuration file (HOCON)")
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    parser.add_argument("--split", choices=("train", "test"), default="train", help="which sequences (default: train)")
    parser.add_argument("--frames", type=int, default=8, help="frames to look at, evenly spread (default: 8)")
    parser.add_argument("--out", type=Path, help="folder of the pictures (default: check_data/<split> of the run)")
    args = parser.parse_args(argv)
    if args.frames < 1:
        parser.error(f"--frames is {args.frames}, expected at least 1")
    run_command(lambda: check_data(args))


def check_data(args: argparse.Namespace) -> None:
    """Measure, draw, judge."""
    import torch

    from imavatar import build
    from imavatar.config import load_config
    from imavatar.data.images import write_png
    from imavatar.inspection.conventions import judge
    from imavatar.inspection.head_view import agreement, landmark_pairs, track_head
    from imavatar.inspection.sheets import contact_sheet, frame_sheet

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
    out.mkdir(parents=True, exist_ok=True)
    sheets, measured = [], {}
    print(f"{'frame':<20}{'landmarks':>18}{'in front':>10}{'in image':>10}{'on mask':>10}")
    for frame, head in zip(frames, heads, strict=True):
        name, found = f"{frame.sub_dir}/{frame.name}", agreement(head, landmark_pairs(head, frame), frame.camera, frame)
        measured[name] = asdict(found)
        mask = "empty" if found.on_mask is None else f"{found.on_mask:.0%}"
        off = f"{found.landmark_error:.1f} px ({found.relative_error:.1%})"
        print(f"{name:<20}{off:>18}{found.in_front:>10.0%}{found.in_image:>10.0%}{mask:>10}")
        sheets.append(frame_sheet(frame, head, flame))
        write_png(out / f"{frame.sub_dir}_{frame.name}.png", sheets[-1])
    write_png(out / "contact_sheet.png", contact_sheet(sheets))
    finding = judge(heads, frames)
    content = {
        "consistent": finding.consistent,
        "verdict": str(finding),
        "relative_error": finding.errors,
        "on_mask": finding.on_mask,
        "frames": measured,
    }
    (out / "check_data.json").write_text(json.dumps(content, indent=1))
    print(f"pictures: {out / 'contact_sheet.png'}")
    if finding.by_semantics:
        print("note: flame_keypoints are not the head's landmarks in iBUG's order, as the keypoint error needs them")
    print(finding)
    if not finding.consistent:
        sys.exit(INCONSISTENT)
