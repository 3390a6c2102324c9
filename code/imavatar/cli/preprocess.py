"""`scripts/preprocess.py`: a video to a subject folder."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import (
    FASTEST,
    MOST_FRAMES,
    MOST_SIDE,
    SLOWEST,
    between,
    options_of,
    plain_name,
    point_or,
    positive,
    square_or,
    whole,
)
from imavatar.cli.common import command
from imavatar.paths import data_dir

MOST_FOCAL = 1e6
"""Pixels of the video; a longer focal length means a camera without perspective."""


MOST_FOV = 170.0
"""Degrees; no lens without a fisheye's distortion sees as much."""


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
    add("--focal", type=positive(MOST_FOCAL), help="focal length in pixels of the video; else estimated")
    add("--fov", type=positive(MOST_FOV), help="instead of --focal: the longer side's angle of view in degrees")
    add(
        "--crop", type=square_or("centre"), help="x,y,size in pixels of the video, or centre (default: around the head)"
    )
    add("--face", type=point_or("LARGEST"), help="LARGEST (default), or x,y: the face that comes near this pixel first")
    add("--max-frames", type=whole(20, MOST_FRAMES), default=1000, help="use the most different ones of more")
    add(
        "--split",
        choices=("last", "blocks"),
        default="last",
        help="what is held out for testing: the last fifth, or one second of every five",
    )
    add("--landmarks", choices=("mediapipe", "face-alignment"), default="mediapipe")
    add(
        "--semantics",
        choices=("auto", "multiclass", "bisenet", "landmarks"),
        default="auto",
        help="what makes matte and labels; auto: the multiclass network where it has been fetched, else landmarks",
    )
    add(
        "--matting",
        choices=("auto", "rvm"),
        default="auto",
        help="what makes the matte; auto: what --semantics says; rvm: Robust Video Matting, whose code and weights are "
        "under the GPL-3.0: get it by fetch_assets --only rvm, and ONNX Runtime by the extra rvm",
    )
    add("--head", default="open", help="open, flame2020, flame2023, or a path")
    add("--out", type=Path, default=data_dir() / "datasets")
    add("--overwrite", action="store_true", help="replace the subject's folder")
    args = parser.parse_args(argv)

    from imavatar.head.assets import find_head
    from imavatar.preprocessing.options import PreprocessOptions
    from imavatar.preprocessing.pipeline import preprocess

    options = options_of(PreprocessOptions, args, videos=tuple(args.video), head=find_head(args.head))
    print(preprocess(options).summary())
