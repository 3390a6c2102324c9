"""`scripts/preprocess.py`: a video to a subject folder."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import FASTEST, MOST_SIDE, SLOWEST, between, plain_name, positive, whole, whole_numbers
from imavatar.cli.common import command
from imavatar.paths import data_dir

MOST_FOCAL = 1e6
"""Pixels of the video; a longer focal length means a camera without perspective."""


@command
def preprocess_main(argv: list[str] | None = None) -> None:
    """Decode, detect, fit and write a subject."""
    parser = argparse.ArgumentParser(description="Turn videos of one person into a subject folder.")
    parser.add_argument("--subject", type=plain_name, required=True, help="name of the subject")
    parser.add_argument("--video", required=True, action="append", type=Path, help="repeat for several videos")
    parser.add_argument("--size", type=whole(1, MOST_SIDE), default=512, help="image side in pixels")
    parser.add_argument("--fps", type=between(SLOWEST, FASTEST), default=25.0, help="frames a second that are used")
    parser.add_argument("--focal", type=positive(MOST_FOCAL), help="in pixels of the video; else estimated")
    parser.add_argument(
        "--crop", type=whole_numbers("x", "y", "size"), help="x,y,size in pixels of the video (default: centre square)"
    )
    parser.add_argument("--landmarks", choices=("mediapipe", "face-alignment"), default="mediapipe")
    parser.add_argument("--head", default="open", help="open, flame2020, flame2023, or a path")
    parser.add_argument("--out", type=Path, default=data_dir() / "datasets")
    parser.add_argument("--overwrite", action="store_true", help="replace the subject's folder")
    _preprocess(parser.parse_args(argv))


def _preprocess(args: argparse.Namespace) -> None:
    from imavatar.head.assets import find_head
    from imavatar.preprocessing.options import PreprocessOptions
    from imavatar.preprocessing.pipeline import preprocess

    options = PreprocessOptions(
        subject=args.subject,
        videos=tuple(args.video),
        out=args.out,
        size=args.size,
        fps=args.fps,
        focal=args.focal,
        crop=args.crop,
        landmarks=args.landmarks,
        head=find_head(args.head),
        overwrite=args.overwrite,
    )
    print(preprocess(options).summary())
