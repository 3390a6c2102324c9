"""`scripts/animate.py`: the trained avatar under a built-in motion or another recording's."""

import argparse
from pathlib import Path

from imavatar.cli.common import ProgressLine, run_command

SWEEP, RING = "sweep", "ring"


def animate_main(argv: list[str] | None = None) -> None:
    """Render an animation."""
    parser = argparse.ArgumentParser(description="Animate a trained avatar.")
    parser.add_argument("--conf", type=Path, required=True, help="configuration of the run")
    parser.add_argument(
        "--motion",
        default=SWEEP,
        help="sweep (built in), a flame_params.json, a .csv of coefficients, interpolate:FILE:A:B (frames of a "
        "recording) or extrapolate:FILE:A:FACTOR",
    )
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
    parser.add_argument("--frames", type=int, default=75, help="frames of the built-in motion")
    parser.add_argument("--supersample", type=int, default=1, help="rays along each side of a pixel")
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument("--preview", action="store_true", help="show the surface's mesh: faster, less exact")
    args = parser.parse_args(argv)
    run_command(lambda: animate(args))


def animate(args: argparse.Namespace) -> None:
    """Load the avatar, make or read the motion, write the video."""
    from imavatar import build
    from imavatar.cli.trained import load_trained
    from imavatar.export.animation import render_animation
    from imavatar.export.views import ring_of_views

    trained = load_trained(args.conf, args.subject, args.checkpoint)
    config = trained.config
    n_expression = config.model.deformer_network.num_exp
    motion = _motion(args, trained.head.named_expressions, n_expression)
    if args.neutral_align:
        motion = _aligned(args, config, motion)
    dataset = build.build_dataset(config, "test", only_json=True)
    camera = dataset.camera([0])
    if args.views == RING:
        centre = trained.flame.canonical_vertices.mean(dim=0)
        camera = ring_of_views(camera.to(centre.device), centre, len(motion))
    numbers = None if args.side_by_side is None else _video_frames(args.motion)
    build_renderer = build.build_preview_renderer if args.preview else build.build_renderer
    render_animation(
        build_renderer(config, trained.avatar, supersample=args.supersample),
        trained.flame,
        camera,
        motion,
        args.out,
        height=dataset.height,
        width=dataset.width,
        fps=config.plot.fps,
        latent=trained.latent,
        progress=ProgressLine("frames rendered"),
        beside=None if args.side_by_side is None else _pictures(args.side_by_side, numbers, config.plot.fps),
        audio_of=args.side_by_side,
        audio_from=0.0 if numbers is None else numbers[0] / config.plot.fps,
    )
    print(f"animation: {args.out}")


def _motion(args: argparse.Namespace, named, n_expression: int):
    """The motion that --motion names."""
    from imavatar.export.motion import motion_from_json, sweep_motion
    from imavatar.export.sources import EXTRAPOLATE, INTERPOLATE, motion_from_frames, motion_from_table

    if args.motion == SWEEP:
        return sweep_motion(n_expression, named, n_frames=args.frames)
    if args.motion.split(":")[0] in (INTERPOLATE, EXTRAPOLATE):
        return motion_from_frames(args.motion, n_expression, args.frames)
    if args.motion.lower().endswith(".csv"):
        return motion_from_table(Path(args.motion), n_expression, named)
    return motion_from_json(Path(args.motion), n_expression)


def _aligned(args: argparse.Namespace, config, motion):
    """The motion with the avatar's own face at rest."""
    from imavatar import build
    from imavatar.errors import ConfigError
    from imavatar.export.sources import neutral_aligned, neutral_of

    if not Path(args.motion).is_file():
        raise ConfigError(f"--neutral-align: {args.motion} is no other person's motion, expected a file")
    own = build.build_dataset(config, "train", only_json=True).head()
    return neutral_aligned(motion, neutral_of(motion), neutral_of(own))


def _video_frames(motion: str) -> list[int] | None:
    """Which frames of its video a recording's are; None where it does not say, or where it is no recording."""
    from imavatar.data.subject import load_recording

    if not motion.lower().endswith(".json"):
        return None
    path = Path(motion)
    numbers = [frame.video_frame for frame in load_recording(path.parent, path.name).frames]
    return None if None in numbers else numbers


def _pictures(video: Path, numbers: list[int] | None, fps: float):
    """The frames of a video of these numbers, else all."""
    from imavatar.data.video_file import read_frames

    wanted = None if numbers is None else set(numbers)
    for number, picture in enumerate(read_frames(video, fps=fps)):
        if wanted is None or number in wanted:
            yield picture
