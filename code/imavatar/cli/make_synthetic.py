"""`scripts/make_synthetic.py`: rendered subjects."""

import argparse
import os
from pathlib import Path

from imavatar import assets
from imavatar.cli.arguments import (
    MOST_FRAMES,
    MOST_PROCESSES,
    MOST_SEED,
    MOST_SIDE,
    frame_counts,
    plain_name,
    whole,
)
from imavatar.cli.common import ProgressLine, command
from imavatar.cli.track_images import FILE as TRACKED
from imavatar.data.workplace import alone, remove_leftovers
from imavatar.files.locks import LOCK_FILE
from imavatar.paths import data_dir

MOST_SAMPLES, MOST_SUBJECTS = 100_000, 10_000


@command
def make_synthetic_main(argv: list[str] | None = None) -> None:
    """Render into a data folder; what is there already is kept."""
    parser = argparse.ArgumentParser(
        description="Render a synthetic subject with exact parameters, or with --subjects a data set of several for "
        "comparisons (docs/data_format.md)."
    )
    parser.add_argument("--out", type=Path, default=data_dir() / "datasets", help="data folder")
    parser.add_argument(
        "--size", type=whole(8, MOST_SIDE), help="image side in pixels (default: 128, of several subjects 256)"
    )
    parser.add_argument("--seed", type=whole(0, MOST_SEED), default=0)
    parser.add_argument(
        "--samples", type=whole(1, MOST_SAMPLES), help="light paths a pixel (default: 36, of several subjects 32)"
    )
    parser.add_argument(
        "--workers",
        type=whole(0, MOST_PROCESSES),
        default=min(4, os.cpu_count() or 1),
        help="processes that render",
    )
    one = parser.add_argument_group("one subject")
    one.add_argument("--subject", type=plain_name, default="synthetic", help="its name")
    one.add_argument("--train", type=whole(1, MOST_FRAMES), default=80, help="training frames")
    one.add_argument("--test", type=whole(1, MOST_FRAMES), default=20, help="held-out frames")
    one.add_argument(
        "--harder", type=whole(0, MOST_FRAMES), default=0, help="frames of stronger motion than the training's"
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
    args = parser.parse_args(argv)
    if args.subjects is None:
        _one_subject(args)
        return
    with alone(args.out / LOCK_FILE, "the rendering of several subjects"):
        remove_leftovers(args.out)
        _several_subjects(args)


def _frames(text: str) -> dict[str, int]:
    from imavatar.synthetic.sequences import N_FRAMES

    return frame_counts(text, N_FRAMES)


def _one_subject(args: argparse.Namespace) -> None:
    from imavatar.synthetic.dataset import make_synthetic

    folder = make_synthetic(
        args.out,
        subject=args.subject,
        size=128 if args.size is None else args.size,
        n_train=args.train,
        n_test=args.test,
        n_harder=args.harder,
        seed=args.seed,
        samples=36 if args.samples is None else args.samples,
        hair=args.hair,
        workers=args.workers,
        assets_dir=assets.assets_dir(),
        progress=ProgressLine("frames rendered"),
    )
    print(f"synthetic subject: {folder}")


def _several_subjects(args: argparse.Namespace) -> None:
    from imavatar.preprocessing.track_images import track_images
    from imavatar.synthetic.data_card import count_faces, write_contact_sheet, write_data_card
    from imavatar.synthetic.population import expected_cost, make_population
    from imavatar.synthetic.sequences import N_FRAMES
    from imavatar.workflows.networks import keypoint_detector

    frames = args.frames or dict(N_FRAMES)
    size = 256 if args.size is None else args.size
    samples = 32 if args.samples is None else args.samples
    seconds, gigabytes = expected_cost(args.subjects * sum(frames.values()), size, samples, args.workers)
    print(
        f"{args.subjects} subjects, {sum(frames.values())} frames of {size} x {size} each: about "
        f"{seconds / 60:.0f} minutes and {gigabytes:.2f} GB, less what is there",
        flush=True,
    )
    made = make_population(
        args.out,
        args.subjects,
        size=size,
        seed=args.seed,
        samples=samples,
        frames=frames,
        workers=args.workers,
        assets_dir=assets.assets_dir(),
        progress=ProgressLine("frames rendered"),
    )
    for folder in made.folders if args.track else ():
        if not all((folder / name / TRACKED).is_file() for name in frames):
            found = track_images(folder, list(frames), TRACKED)
            n = sum(found.frames_written.values())
            print(
                f"{folder.name}: tracked {n} of {found.frames_read} frames, {found.errors['error_px']:.2f} pixels off"
            )
    detect = keypoint_detector()
    for folder in made.folders if detect is not None else ():
        for name in frames:
            count_faces(folder / name, detect)
    print(f"contact sheet: {write_contact_sheet(args.out, made.folders, list(frames))}")
    print(f"data card: {write_data_card(args.out, made.folders, made.settings)}")
