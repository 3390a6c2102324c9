"""`scripts/animate.py`: the trained avatar under a built-in motion or another recording's."""

import argparse
from pathlib import Path

from imavatar.cli.common import ProgressLine, run_command

SWEEP = "sweep"


def animate_main(argv: list[str] | None = None) -> None:
    """Render an animation."""
    parser = argparse.ArgumentParser(description="Animate a trained avatar.")
    parser.add_argument("--conf", type=Path, required=True, help="configuration of the run")
    parser.add_argument("--motion", default=SWEEP, help="sweep (built in), or the path of a flame_params.json")
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
    from imavatar.export.animation import motion_from_json, render_animation, sweep_motion

    trained = load_trained(args.conf, args.subject, args.checkpoint)
    config = trained.config
    n_expression = config.model.deformer_network.num_exp
    if args.motion == SWEEP:
        motion = sweep_motion(n_expression, trained.head.named_expressions, n_frames=args.frames)
    else:
        motion = motion_from_json(Path(args.motion), n_expression)
    dataset = build.build_dataset(config, "test", only_json=True)
    build_renderer = build.build_preview_renderer if args.preview else build.build_renderer
    render_animation(
        build_renderer(config, trained.avatar, supersample=args.supersample),
        trained.flame,
        dataset.camera([0]),
        motion,
        args.out,
        height=dataset.height,
        width=dataset.width,
        fps=config.plot.fps,
        latent=trained.latent,
        progress=ProgressLine("frames rendered"),
    )
    print(f"animation: {args.out}")
