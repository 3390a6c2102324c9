"""`scripts/check_data.py`: look at a data set, and verify its camera convention, before anything is trained on it."""

import argparse
import sys
from pathlib import Path

from imavatar.cli.arguments import MOST_FRAMES, whole
from imavatar.cli.common import command

INCONSISTENT = 1


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
    args = parser.parse_args(argv)

    import torch

    from imavatar import build
    from imavatar.config import load_config
    from imavatar.data_check.report import check_frames

    config = build.with_subject(load_config(args.conf), args.subject)
    dataset = build.build_dataset(config, args.split)
    assets = build.build_head_assets(config)
    flame = build.build_flame(config, assets, dataset.shape_params)
    embedding = build.find_embedding(config, assets)
    if embedding is None:
        print("the head model has no landmark embedding: the recorded eyes are compared with its pupils instead")
    rows = torch.linspace(0, len(dataset) - 1, min(args.frames, len(dataset))).round().long().tolist()
    out = args.out or build.build_run_folder(config).root / "check_data" / args.split
    found = check_frames([dataset.frame(row) for row in rows], flame, assets, embedding, out)
    print(found.table())
    print(f"pictures: {found.sheet}")
    if found.finding.by_semantics:
        print("note: flame_keypoints are not the head's landmarks in iBUG's order, as the keypoint error needs them")
    print(found.finding)
    if not found.finding.consistent:
        sys.exit(INCONSISTENT)
