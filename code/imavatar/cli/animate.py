"""`scripts/animate.py`: the trained avatar under a built-in motion or another recording's."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import FASTEST, MOST_FRAMES, MOST_SUPERSAMPLE, SLOWEST, between, options_of, whole
from imavatar.cli.common import command


@command
def animate_main(argv: list[str] | None = None) -> None:
    """Render an animation."""
    from imavatar.workflows.animating import SWEEP_FRAMES, VIEWS, AnimationOptions, animate
    from imavatar.workflows.driving import MOTION_HELP, SWEEP
    from imavatar.workflows.trained import load_trained

    parser = argparse.ArgumentParser(description="Animate a trained avatar.")
    add = parser.add_argument
    add("--conf", type=Path, required=True, help="configuration of the run")
    add("--motion", default=SWEEP, help=MOTION_HELP)
    add("--neutral-align", action="store_true", help="replace the source's face at rest by that of the training frames")
    add("--views", choices=VIEWS, default=VIEWS[0], help=f"camera (default: {VIEWS[0]})")
    add(
        "--side-by-side",
        type=Path,
        metavar="VIDEO",
        help="show this video beside the avatar, with its sound: the frames that the recording's are from, else all",
    )
    add("--out", type=Path, required=True, help="video file to write (.mp4)")
    add("--frames", type=whole(1, MOST_FRAMES), default=SWEEP_FRAMES, help="frames of the built-in motion")
    add("--fps", type=between(SLOWEST, FASTEST), help="frames a second (default: the configuration's plot.fps)")
    add("--supersample", type=whole(1, MOST_SUPERSAMPLE), default=1, help="rays along each side of a pixel")
    add("--subject", help="instead of dataset.subject_name")
    add("--checkpoint", default="latest", help="epoch to load (default: latest)")
    add("--preview", action="store_true", help="show the surface's mesh: faster, less exact")
    args = parser.parse_args(argv)
    trained = load_trained(args.conf, args.subject, args.checkpoint)
    print(f"animation: {animate(trained, args.motion, args.out, options_of(AnimationOptions, args))}")
