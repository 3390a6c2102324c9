"""`scripts/animate.py`: the trained avatar under a built-in motion or another recording's."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import FASTEST, MOST_FRAMES, MOST_SUPERSAMPLE, SLOWEST, between, whole
from imavatar.cli.common import ProgressLine, command
from imavatar.cli.driving import MOTION_HELP, SWEEP, read_driving

RING = "ring"


@command
def animate_main(argv: list[str] | None = None) -> None:
    """Render an animation."""
    parser = argparse.ArgumentParser(description="Animate a trained avatar.")
    parser.add_argument("--conf", type=Path, required=True, help="configuration of the run")
    parser.add_argument("--motion", default=SWEEP, help=MOTION_HELP)
    parser.add_argument(
        "--neutral-align", action="store_true", help="replace the source's face at rest by that of the training frames"
    )
    parser.add_argument("--views", choices=("fixed", RING), default="fixed", help="camera (default: fixed)")
    parser.add_argument(
        "--side-by-side",
        type=Path,
        metavar="VIDEO",
        help="show this video beside the avatar, with its sound: the frames that the recording's are from, else all",
    )
    parser.add_argument("--out", type=Path, required=True, help="video file to write (.mp4)")
    parser.add_argument("--frames", type=whole(1, MOST_FRAMES), default=75, help="frames of the built-in motion")
    parser.add_argument(
        "--fps", type=between(SLOWEST, FASTEST), help="frames a second (default: the configuration's plot.fps)"
    )
    parser.add_argument(
        "--supersample", type=whole(1, MOST_SUPERSAMPLE), default=1, help="rays along each side of a pixel"
    )
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument("--preview", action="store_true", help="show the surface's mesh: faster, less exact")
    animate(parser.parse_args(argv))


def animate(args: argparse.Namespace) -> None:
    """Load the avatar, make or read the motion, write the video."""
    from imavatar import build
    from imavatar.cli.trained import load_trained
    from imavatar.export.animation import render_animation
    from imavatar.export.views import ring_of_views

    trained = load_trained(args.conf, args.subject, args.checkpoint)
    config = trained.config
    fps = config.plot.fps if args.fps is None else args.fps
    driving = read_driving(args.motion, trained, n_frames=args.frames, fps=fps, tracked=args.out.parent / "tracked")
    motion = _aligned(args, config, driving.motion) if args.neutral_align else driving.motion
    dataset = build.build_dataset(config, "test", only_json=True)
    camera = dataset.camera([0])
    if args.views == RING:
        centre = trained.flame.canonical_vertices.mean(dim=0)
        camera = ring_of_views(camera.to(centre.device), centre, len(motion))
    numbers = driving.numbers
    build_renderer = build.build_preview_renderer if args.preview else build.build_renderer
    render_animation(
        build_renderer(config, trained.avatar, supersample=args.supersample),
        trained.flame,
        camera,
        motion,
        args.out,
        height=dataset.height,
        width=dataset.width,
        fps=fps,
        latent=trained.latent,
        progress=ProgressLine("frames rendered"),
        beside=None if args.side_by_side is None else _pictures(args.side_by_side, numbers, fps),
        audio_of=args.side_by_side or driving.video,
        audio_from=0.0 if numbers is None else numbers[0] / fps,
    )
    print(f"animation: {args.out}")


def _aligned(args: argparse.Namespace, config, motion):
    """The motion with the avatar's own face at rest."""
    from imavatar import build
    from imavatar.errors import ConfigError
    from imavatar.export.sources import neutral_aligned, neutral_of

    if not Path(args.motion).is_file():
        raise ConfigError(f"--neutral-align: {args.motion} is no other person's motion, expected a file")
    own = build.build_dataset(config, "train", only_json=True).head()
    return neutral_aligned(motion, neutral_of(motion), neutral_of(own))


def _pictures(video: Path, numbers: list[int] | None, fps: float):
    """The frames of a video of these numbers, else all."""
    from imavatar.data.video_file import read_frames

    wanted = None if numbers is None else set(numbers)
    for number, picture in enumerate(read_frames(video, fps=fps)):
        if wanted is None or number in wanted:
            yield picture
