"""`scripts/evaluate_tracking.py`: how well heads are tracked, on synthetic people and on real clips."""

import argparse
import os
from pathlib import Path

from imavatar.cli.arguments import MOST_FRAMES, MOST_PROCESSES, MOST_SIDE, whole
from imavatar.cli.common import command
from imavatar.data.workplace import alone
from imavatar.errors import ConfigError
from imavatar.files.locks import LOCK_FILE
from imavatar.paths import project_dir

MOST_SUBJECTS, MOST_SAMPLES = 10_000, 100_000


@command
def evaluate_tracking_main(argv: list[str] | None = None) -> None:
    """Make what is needed, track it, and print tables."""
    parser = argparse.ArgumentParser(
        description="Track synthetic people from their images alone and compare with the truth; track real clips and "
        "compare with what is detected in them. Writes tables, plots, and tracking.json."
    )
    parser.add_argument(
        "--subjects", type=whole(0, MOST_SUBJECTS), default=0, help="random people, besides the built-in subject"
    )
    parser.add_argument("--frames", type=whole(20, MOST_FRAMES), default=100, help="of each person (default: 100)")
    parser.add_argument("--size", type=whole(64, MOST_SIDE), default=256, help="of people's images, pixels")
    parser.add_argument("--samples", type=whole(1, MOST_SAMPLES), default=12, help="light paths a pixel (default: 12)")
    parser.add_argument("--video", type=Path, action="append", default=[], help="a real clip; repeat for several")
    parser.add_argument("--clip-size", type=whole(64, MOST_SIDE), default=512, help="of the clips' images, pixels")
    parser.add_argument("--head", default="open", help="open, flame2020, flame2023, or a path")
    parser.add_argument(
        "--workers", type=whole(0, MOST_PROCESSES), default=min(4, os.cpu_count() or 1), help="processes that render"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=(project_dir() or Path.cwd()) / "results" / "tracking",
        help="folder of the data and the results (default: results/tracking)",
    )
    args = parser.parse_args(argv)
    if args.subjects == 0 and not args.video:
        raise ConfigError("nothing to track: give --subjects N for synthetic people, --video FILE for a clip, or both")
    with alone(args.out / LOCK_FILE, "an evaluation of tracking"):
        _evaluate(args)


def _evaluate(args: argparse.Namespace) -> None:
    from imavatar_lab.tracking.evaluation import Head, evaluate_clip, evaluate_synthetic, synthetic_folders
    from imavatar_lab.tracking.report import write_results

    head, data = Head.load(args.head), args.out / "data"
    folders = []
    if args.subjects:
        folders = synthetic_folders(data, args.subjects, args.frames, args.size, args.samples, args.workers)
    people = [evaluate_synthetic(folder, head) for folder in folders]
    clips = [evaluate_clip(video, args.out / "clips", head, args.clip_size) for video in args.video]
    print(write_results(args.out, people, clips))
