"""`scripts/make_synthetic.py`: rendered subjects."""

import argparse
import os
from pathlib import Path

from imavatar.cli import arguments
from imavatar.cli.arguments import MOST_FRAMES, MOST_PROCESSES, MOST_SEED, MOST_SIDE, plain_name, whole
from imavatar.cli.common import command
from imavatar.cli.track_images import FILE as TRACKED
from imavatar.data.workplace import alone, remove_leftovers
from imavatar.files.locks import LOCK_FILE
from imavatar.paths import data_dir

MOST_SAMPLES, MOST_SUBJECTS = 100_000, 10_000


@command
def make_synthetic_main(argv: list[str] | None = None) -> None:
    """Render into a data folder; what is there already is kept."""
    args = _parser().parse_args(argv)
    if args.subjects is None:
        _one_subject(args)
        return
    with alone(args.out / LOCK_FILE, "the rendering of several subjects"):
        remove_leftovers(args.out)
        _several_subjects(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Render a synthetic subject with exact parameters, or with --subjects a data set of several for "
        "comparisons (docs/data_format.md)."
    )
    add = parser.add_argument
    add("--out", type=Path, default=data_dir() / "datasets", help="data folder")
    add("--size", type=whole(8, MOST_SIDE), help="image side in pixels (default: 128, of several subjects 256)")
    add("--seed", type=whole(0, MOST_SEED), default=0)
    add("--samples", type=whole(1, MOST_SAMPLES), help="light paths a pixel (default: 36, of several subjects 32)")
    add("--workers", type=whole(0, MOST_PROCESSES), default=min(4, os.cpu_count() or 1), help="processes that render")
    one = parser.add_argument_group("one subject")
    one.add_argument("--subject", type=plain_name, default="synthetic", help="its name")
    one.add_argument("--train", type=whole(1, MOST_FRAMES), default=80, help="training frames")
    one.add_argument("--test", type=whole(1, MOST_FRAMES), default=20, help="held-out frames")
    one.add_argument(
        "--strong-motion",
        "--harder",
        action=arguments.renamed("--harder"),
        type=whole(0, MOST_FRAMES),
        default=0,
        metavar="N",
        help="frames of stronger motion than the training's",
    )
    one.add_argument(
        "--hair", choices=("surface", "strands"), default="surface", help="a surface, or strands on it (slower)"
    )
    several = parser.add_argument_group("several subjects")
    several.add_argument("--subjects", type=whole(1, MOST_SUBJECTS), help="how many: subject_00, subject_01, ...")
    several.add_argument(
        "--frames", type=_frames, metavar="SEQUENCE=N,...", help="other numbers of frames, or fewer sequences"
    )
    several.add_argument("--track", action="store_true", help="also track the images (flame_params_tracked.json)")
    return parser


def _frames(text: str) -> dict[str, int]:
    from imavatar.synthetic.sequences import N_FRAMES

    return arguments.frame_counts(text, N_FRAMES)


def _one_subject(args: argparse.Namespace) -> None:
    from imavatar.synthetic.generator import make_synthetic
    from imavatar.synthetic.sequences import STRONG_MOTION, TEST, TRAIN
    from imavatar.synthetic.settings import SubjectSettings

    counts = {TRAIN: args.train, TEST: args.test, STRONG_MOTION: args.strong_motion}
    settings = SubjectSettings(
        args.subject,
        {name: count for name, count in counts.items() if count > 0},
        size=args.size or 128,
        samples=args.samples or 36,
        seed=args.seed,
        hair=args.hair,
    )
    (folder,) = make_synthetic(args.out, [settings], workers=args.workers)
    print(f"synthetic subject: {folder}")


def _several_subjects(args: argparse.Namespace) -> None:
    from imavatar.synthetic.data_card import count_faces, write_contact_sheet, write_data_card
    from imavatar.synthetic.generator import expected_cost, make_synthetic
    from imavatar.synthetic.settings import random_people
    from imavatar.workflows.networks import keypoint_detector

    size, samples = args.size or 256, args.samples or 32
    people = random_people(args.subjects, frames=args.frames, size=size, samples=samples, seed=args.seed)
    sequences, n_frames = list(people[0].frames), sum(people[0].frames.values())
    seconds, gigabytes = expected_cost(args.subjects * n_frames, size, samples, args.workers)
    print(
        f"{args.subjects} subjects, {n_frames} frames of {size} x {size} each: about "
        f"{seconds / 60:.0f} minutes and {gigabytes:.2f} GB, less what is there",
        flush=True,
    )
    folders = make_synthetic(args.out, people, workers=args.workers)
    for folder in folders if args.track else ():
        _track(folder, sequences)
    detect = keypoint_detector()
    for folder in folders if detect is not None else ():
        for name in sequences:
            count_faces(folder / name, detect)
    print(f"contact sheet: {write_contact_sheet(args.out, folders, sequences)}")
    print(f"data card: {write_data_card(args.out, folders, people[0])}")


def _track(folder: Path, sequences: list[str]) -> None:
    """Track the images of a subject, unless that has been done."""
    from imavatar.preprocessing.track_images import track_images

    if not all((folder / name / TRACKED).is_file() for name in sequences):
        found = track_images(folder, sequences, TRACKED)
        n = sum(found.frames_written.values())
        print(f"{folder.name}: tracked {n} of {found.frames_read} frames, {found.errors['error_px']:.2f} pixels off")
