"""`scripts/split.py`: a subject that is there, divided another way into training and test."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import plain_name
from imavatar.cli.common import command
from imavatar.paths import data_dir


@command
def split_main(argv: list[str] | None = None) -> None:
    """Add the recordings of a split to a subject's folder."""
    parser = argparse.ArgumentParser(
        description="Add train_SPLIT and test_SPLIT to a preprocessed subject; exp_runner.py --split SPLIT takes them."
    )
    parser.add_argument("--subject", type=plain_name, required=True, help="name of the subject")
    parser.add_argument("--split", choices=("last", "blocks"), default="blocks", help="what is held out (%(default)s)")
    parser.add_argument("--data", type=Path, default=data_dir() / "datasets", help="data folder")
    args = parser.parse_args(argv)

    from imavatar.preprocessing.resplit import add_split

    for sub_dir, count in add_split(args.data, args.subject, args.split).items():
        print(f"{args.data / args.subject / args.subject / sub_dir}: {count} frames")
