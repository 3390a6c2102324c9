"""`scripts/preprocess.py`: a video to a subject folder."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import FASTEST, MOST_SIDE, SLOWEST, between, options_of, plain_name, positive, square, whole
from imavatar.cli.common import command
from imavatar.paths import data_dir

MOST_FOCAL = 1e6
"""Pixels of the video; a longer focal length means a camera without perspective."""


@command
def preprocess_main(argv: list[str] | None = None) -> None:
    """Decode, detect, fit and write a subject."""
    parser = argparse.ArgumentParser(description="Turn videos of one person into a subject folder.")
    add = parser.add_argument
    add("--subject", type=plain_name, required=True, help="name of the subject")
    add(
        "--video",
        required=True,
        action="append",
        type=Path,
        help="a video, or a folder of pictures; repeat for several",
    )
    add("--size", type=whole(1, MOST_SIDE), default=512, help="image side in pixels")
    add("--fps", type=between(SLOWEST, FASTEST), default=25.0, help="frames a second that are used")
    add("--focal", type=positive(MOST_FOCAL), help="in pixels of the video; else estimated")
    add("--crop", type=square, help="x,y,size in pixels of the video (default: centre square)")
    add("--landmarks", choices=("mediapipe", "face-alignment"), default="mediapipe")
    add("--head", default="open", help="open, flame2020, flame2023, or a path")
    add("--out", type=Path, default=data_dir() / "datasets")
    add("--overwrite", action="store_true", help="replace the subject's folder")
    args = parser.parse_args(argv)

    from imavatar.head.assets import find_head
    from imavatar.preprocessing.options import PreprocessOptions
    from imavatar.preprocessing.pipeline import preprocess

    options = options_of(PreprocessOptions, args, videos=tuple(args.video), head=find_head(args.head))
    print(preprocess(options).summary())
