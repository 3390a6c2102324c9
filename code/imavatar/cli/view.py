"""`scripts/view.py`: a trained avatar in the browser, live."""

import argparse
import threading
from pathlib import Path

from imavatar.cli.common import command
from imavatar.cli.driving import MOTION_HELP, SWEEP, clip_name, read_driving
from imavatar.errors import ImavatarError

SWEEP_FRAMES = 250


@command
def view_main(argv: list[str] | None = None) -> None:
    """Serve the viewer's page until interrupted."""
    parser = argparse.ArgumentParser(description="Look at a trained avatar in a browser and move it by sliders.")
    parser.add_argument("--conf", type=Path, required=True, help="configuration of the run")
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument(
        "--motion", action="append", default=[], help=f"that can be played; repeatable. Each is {MOTION_HELP}"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="interface to listen at (default: 127.0.0.1, for this machine only; 0.0.0.0: all, without encryption)",
    )
    parser.add_argument("--port", type=int, default=8080, help="(default: 8080)")
    parser.add_argument("--size", type=int, default=512, help="side of the images, pixels (default: 512)")
    parser.add_argument("--resolution", type=int, default=160, help="cells along the mesh's longest side")
    parser.add_argument("--faces", type=int, default=30000, help="faces of the mesh at most (default: 30000)")
    args = parser.parse_args(argv)
    for name, least in (("size", 64), ("resolution", 8), ("faces", 100)):
        if getattr(args, name) < least:
            parser.error(f"--{name} is {getattr(args, name)}, expected at least {least}")
    view(args)


def view(args: argparse.Namespace) -> None:
    """Bake the avatar, say where it is shown, and wait."""
    viewer = make_viewer(args)
    print("open " + " or, from another machine, ".join(viewer.addresses()), flush=True)
    try:
        threading.Event().wait()
    finally:
        viewer.stop()


def make_viewer(args: argparse.Namespace):
    """The viewer, serving.

    Raises:
        ConfigError: the run's method has no fields to bake.
        ImavatarError: the extra `viewer` is not installed or its viser not known, or the port is taken.
    """
    from imavatar import assets, build
    from imavatar.cli.baking import bake, check_bakeable, colour_frames, rest_head
    from imavatar.cli.trained import load_trained
    from imavatar.rendering.character import Character
    from imavatar.viewer.controls import controls_of

    try:
        from imavatar.viewer.app import Viewer
        from imavatar.viewer.gate import check_viser
        from imavatar.viewer.listening import check_free
        from imavatar.viewer.renderer import LiveRenderer
        from imavatar.viewer.scene import Scene, ViewerSettings
    except ImportError as error:
        raise ImavatarError(f"the viewer needs the extra `viewer` (pip install -e '.[viewer]'): {error}") from error
    check_viser()
    check_free(args.host, args.port)
    trained = load_trained(args.conf, args.subject, args.checkpoint)
    config = trained.config
    check_bakeable(config, args.conf)
    baked = bake(trained, colour_frames(trained), resolution=args.resolution, n_faces=args.faces)
    dataset = build.build_dataset(config, "test", only_json=True)
    supersample = sorted({1, config.plot.supersample})
    renderers = [build.build_renderer(config, trained.avatar, supersample=n, silhouette_blur=0.0) for n in supersample]
    fps, motions = config.plot.fps, {}
    tracked = assets.project_dir() / "data" / "tracked"
    for source in (SWEEP, *args.motion):
        driving = read_driving(source, trained, n_frames=SWEEP_FRAMES, fps=fps, tracked=tracked)
        motions[clip_name(source, motions)] = driving.motion
    n_expression = config.model.deformer_network.num_exp
    scene = Scene(
        controls_of(n_expression, trained.head.named_expressions, trained.head.face_units),
        motions,
        rest_head(trained),
        camera=dataset.camera([0]),
        height=dataset.height,
        centre=trained.flame.canonical_vertices.mean(dim=0).double().cpu().numpy(),
    )
    character = Character(trained.avatar, trained.flame, trained.latent)
    renderer = LiveRenderer(character, baked, renderers, config.plot.silhouette_blur)
    return Viewer(renderer, scene, ViewerSettings(fps, args.size, args.host, args.port))
