"""`scripts/track_images.py`: recordings that are there already, tracked anew."""

import argparse
from pathlib import Path

from imavatar import assets
from imavatar.cli.common import TaskProgress, run_command

FILE = "flame_params_tracked.json"


def track_images_main(argv: list[str] | None = None) -> None:
    """Fit the head model to the images of a subject folder, into a JSON file beside the one that it came with."""
    parser = argparse.ArgumentParser(
        description="Track the images of a subject folder; train on the result with dataset.json_name."
    )
    parser.add_argument("--subject", required=True, help="name of the subject")
    parser.add_argument("--sub_dirs", default="train,test", help="its recordings, with commas (%(default)s)")
    parser.add_argument("--data", type=Path, default=assets.project_dir() / "data" / "datasets", help="data folder")
    parser.add_argument("--json", default=FILE, help="name of the file that is written (%(default)s)")
    parser.add_argument("--head", default="open", help="open, flame2020, flame2023, or a path")
    args = parser.parse_args(argv)

    def command() -> None:
        from imavatar.head.assets import find_head
        from imavatar.preprocessing.retrack import retrack

        found = retrack(
            args.data / args.subject / args.subject,
            [name for name in args.sub_dirs.split(",") if name],
            assets_dir=assets.assets_dir(),
            head_path=find_head(args.head, assets.assets_dir(), assets.project_dir() / "flame"),
            json_name=args.json,
            progress=TaskProgress(),
        )
        for name, count in found.frames_written.items():
            print(f"{args.data / args.subject / args.subject / name / args.json}: {count} frames")
        print(
            f"{found.frames_read} frames read; landmarks off by {found.errors['error_px']:.2f} pixels, "
            f"{100 * found.errors['error_share']:.2f} % of the face's height; focal length {found.focal:.0f} pixels"
        )

    run_command(command)
