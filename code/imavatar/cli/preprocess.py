"""`scripts/preprocess.py`: a video to a subject folder."""

import argparse
from pathlib import Path

from imavatar import assets
from imavatar.cli.common import TaskProgress, run_command


def preprocess_main(argv: list[str] | None = None) -> None:
    """Decode, detect, fit and write a subject."""
    parser = argparse.ArgumentParser(description="Turn videos of one person into a subject folder.")
    parser.add_argument("--subject", required=True, help="name of the subject")
    parser.add_argument("--video", required=True, action="append", type=Path, help="repeat for several videos")
    parser.add_argument("--size", type=int, default=512, help="image side in pixels")
    parser.add_argument("--fps", type=float, default=25.0, help="frames a second that are used")
    parser.add_argument("--focal", type=float, help="in pixels of the written images; else estimated")
    parser.add_argument("--crop", help="x,y,size in pixels of the video (default: centre square)")
    parser.add_argument("--landmarks", choices=("mediapipe", "face-alignment"), default="mediapipe")
    parser.add_argument("--head", default="open", help="open, flame2020, flame2023, or a path")
    parser.add_argument("--out", type=Path, default=assets.project_dir() / "data" / "datasets")
    parser.add_argument("--overwrite", action="store_true", help="replace the subject's folder")
    args = parser.parse_args(argv)
    crop = _parse_crop(parser, args.crop)

    def command() -> None:
        from imavatar.head.assets import find_head
        from imavatar.preprocessing.pipeline import PreprocessOptions, preprocess

        options = PreprocessOptions(
            subject=args.subject,
            videos=tuple(args.video),
            out=args.out,
            size=args.size,
            fps=args.fps,
            focal=args.focal,
            crop=crop,
            landmarks=args.landmarks,
            head=find_head(args.head, assets.assets_dir(), assets.project_dir() / "flame"),
            overwrite=args.overwrite,
        )
        report = preprocess(options, assets_dir=assets.assets_dir(), progress=TaskProgress())
        print(report.summary())

    run_command(command)


def _parse_crop(parser: argparse.ArgumentParser, text: str | None):
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
        parser.error(f"--crop expects three whole numbers x,y,size, not {text!r}")
    return tuple(int(part) for part in parts)
