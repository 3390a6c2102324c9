"""`scripts/make_synthetic.py`: a rendered subject with exact parameters."""

import argparse
import os
from pathlib import Path

from imavatar import assets
from imavatar.cli.common import ProgressLine, run_command


def make_synthetic_main(argv: list[str] | None = None) -> None:
    """Render the synthetic subject into a data folder; what is there already is kept."""
    parser = argparse.ArgumentParser(description="Render a synthetic subject (SPEC: data layout).")
    parser.add_argument("--out", type=Path, default=assets.project_dir() / "data" / "datasets")
    parser.add_argument("--subject", default="synthetic", help="name of the subject")
    parser.add_argument("--size", type=int, default=128, help="image side in pixels")
    parser.add_argument("--train", type=int, default=80, help="training frames")
    parser.add_argument("--test", type=int, default=20, help="held-out frames")
    parser.add_argument("--harder", type=int, default=0, help="frames of stronger motion than the training's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=36, help="light paths a pixel")
    parser.add_argument(
        "--hair", choices=("surface", "strands"), default="surface", help="a surface, or strands on it (slower)"
    )
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1), help="processes that render")
    args = parser.parse_args(argv)

    def command() -> None:
        from imavatar.synthetic.dataset import make_synthetic

        folder = make_synthetic(
            args.out,
            subject=args.subject,
            size=args.size,
            n_train=args.train,
            n_test=args.test,
            n_harder=args.harder,
            seed=args.seed,
            samples=args.samples,
            hair=args.hair,
            workers=args.workers,
            assets_dir=assets.assets_dir(),
            progress=ProgressLine("frames rendered"),
        )
        print(f"synthetic subject: {folder}")

    run_command(command)
