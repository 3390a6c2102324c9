"""`scripts/track_images.py`: recordings that are there already, tracked anew."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import plain_name
from imavatar.cli.common import command
from imavatar.paths import data_dir

FILE = "flame_params_tracked.json"


@command
def track_images_main(argv: list[str] | None = None) -> None:
    """Fit the head model to the images of a subject folder, into a JSON file beside the one that it came with."""
    parser = argparse.ArgumentParser(
        description="Track the images of a subject folder; train on the result with dataset.json_name."
    )
    parser.add_argument("--subject", type=plain_name, required=True, help="name of the subject")
    parser.add_argument(
        "--sub_dirs", type=_names, default="train,test", help="its recordings, with commas (%(default)s)"
    )
    parser.add_argument("--data", type=Path, default=data_dir() / "datasets", help="data folder")
    parser.add_argument("--json", type=plain_name, default=FILE, help="name of the file that is written (%(default)s)")
    parser.add_argument("--head", default="open", help="open, flame2020, flame2023, or a path")
    args = parser.parse_args(argv)

    from imavatar.head.assets import find_head
    from imavatar.preprocessing.track_images import track_images

    folder = args.data / args.subject / args.subject
    found = track_images(folder, args.sub_dirs, args.json, find_head(args.head))
    for sub_dir, count in found.frames_written.items():
        print(f"{folder / sub_dir / args.json}: {count} frames")
    print(found.summary())


def _names(text: str) -> list[str]:
    return [plain_name(part) for part in text.split(",") if part]
