"""`scripts/export_avatar.py`: a trained avatar as a skinned mesh with morph targets, for Blender, engines, browsers."""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from imavatar.cli.arguments import MOST_CELLS, MOST_FACES, MOST_FRAMES, MOST_SIDE, whole
from imavatar.cli.baking import bake, check_bakeable, colour_frames, evenly, rest_head, shown_in_training, textured
from imavatar.cli.common import command
from imavatar.cli.driving import MOTION_HELP, SWEEP, clip_name, read_driving
from imavatar.errors import ConfigError, ImavatarError
from imavatar.files.atomic import write_text

GLB = ".glb"
SWEEP_FRAMES = 250
REST = "rest"
MESH_FORMATS = ("obj", "ply")
MOST_TARGETS = 1000


@command
def export_avatar_main(argv: list[str] | None = None) -> None:
    """Bake an avatar and write it."""
    parser = argparse.ArgumentParser(description="Export a trained avatar as a rigged mesh (glTF 2.0).")
    parser.add_argument("--conf", type=Path, required=True, help="configuration of the run")
    parser.add_argument("--out", type=Path, required=True, help="file to write (.glb)")
    add_export_arguments(parser)
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != GLB:
        parser.error(f"--out is {args.out}, expected a name that ends in {GLB}")
    export_avatar(args)


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """What says how an avatar is baked and what its file holds."""
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument(
        "--resolution", type=whole(8, MOST_CELLS), default=256, help="cells along the surface's longest side"
    )
    parser.add_argument(
        "--faces", type=whole(100, MOST_FACES), default=30000, help="faces of the mesh at most (default: 30000)"
    )
    parser.add_argument(
        "--trim", action="store_true", help="cut the bust off where the training's pictures end (an open edge)"
    )
    parser.add_argument(
        "--expressions", type=whole(0, MOST_TARGETS), help="expression targets (default: as many as were trained)"
    )
    parser.add_argument(
        "--texture", type=whole(0, MOST_SIDE), default=2048, help="side of the texture, pixels; 0: colours of vertices"
    )
    parser.add_argument(
        "--average",
        type=whole(0, MOST_FRAMES),
        default=0,
        metavar="N",
        help="colours: mean over N training frames, not the neutral's",
    )
    parser.add_argument(
        "--motion", action="append", default=[], help=f"becomes a clip; repeatable. Each is {MOTION_HELP}"
    )
    parser.add_argument("--named", action="store_true", help="targets of the head model's named expressions too")
    parser.add_argument(
        "--arkit", action="store_true", help="targets of ARKit's face units too, where the head model defines them"
    )
    parser.add_argument(
        "--quantise", action="store_true", help="targets in 16 bits: smaller, but not every program reads that"
    )
    parser.add_argument("--npz", type=Path, help="write everything in full precision here")
    parser.add_argument("--meshes", type=Path, metavar="DIR", help="write the clips' frames as meshes here")
    parser.add_argument("--mesh-format", choices=MESH_FORMATS, default="ply", help="of --meshes (default: ply)")
    parser.add_argument(
        "--check", type=whole(0, MOST_FRAMES), default=20, metavar="N", help="test frames to compare in (default: 20)"
    )


def export_avatar(args: argparse.Namespace, tracked: Path | None = None) -> None:
    """Load, bake, paint, write, and compare.

    Args:
        tracked: folder for the recordings that videos of --motion become; without it `tracked` beside the file.

    Raises:
        ConfigError: the run's method has no fields to bake, or fewer expressions than asked for.
    """
    from imavatar.baking.baked import strongest_weights
    from imavatar.cli.trained import load_trained
    from imavatar.export.approximation import approximations
    from imavatar.export.mesh_files import write_npz, write_posed_meshes

    write_glb = _writer()
    trained = load_trained(args.conf, args.subject, args.checkpoint)
    config = trained.config
    check_bakeable(config, args.conf)
    n_trained = config.model.deformer_network.num_exp
    n_expression = n_trained if args.expressions is None else args.expressions
    if n_expression > n_trained:
        raise ConfigError(f"--expressions is {n_expression}, the avatar has {n_trained}")
    frames = colour_frames(trained, args.average)
    shown = shown_in_training(trained) if args.trim else None
    baked = bake(trained, frames, resolution=args.resolution, n_faces=args.faces, shown=shown)
    if args.texture > 0:
        baked = textured(trained, baked, frames, args.texture)
    print(f"skinning: four joints a vertex, {strongest_weights(baked.weights)[2]:.1e} of the weights lost at most")
    motions = _motions(trained, args.motion, tracked or args.out.parent / "tracked")
    clips = _clips(trained, baked, motions)
    kept = replace(baked, expression=baked.expression[:n_expression])
    shapes = _named_shapes(trained, kept) if args.named else {}
    if args.arkit:
        shapes |= _arkit_shapes(trained, kept)
    rest, *short = [replace(clip, expression=clip.expression[:, :n_expression]) for clip in clips]
    write_glb(args.out, kept, short, shapes, rest, quantise=args.quantise)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, {len(short)} clip(s)", flush=True)
    if args.npz is not None:
        write_npz(args.npz, baked)
        print(f"{args.npz}: {args.npz.stat().st_size / 1e6:.1f} MB")
    if args.meshes is not None:
        n = write_posed_meshes(args.meshes, kept, short, args.mesh_format)
        print(f"{args.meshes}: {n} meshes")
    if args.check > 0:
        gaps = approximations(kept, trained.flame, motions[SWEEP], short[0])
        _compare(trained, kept, args.check, gaps, shown, args.out.with_suffix(".json"))


def _writer():
    try:
        from imavatar.export.gltf import write_glb
    except ImportError as error:
        raise ImavatarError(f"glTF files need the extra `export` (pip install -e '.[export]'): {error}") from error
    return write_glb


def _motions(trained, sources: list[str], tracked: Path) -> dict:
    """The person at rest, the sweep, and every motion that was asked for, by names of their own."""
    fps = trained.config.plot.fps
    motions = {REST: rest_head(trained)}
    for source in (SWEEP, *sources):
        driving = read_driving(source, trained, n_frames=SWEEP_FRAMES, fps=fps, tracked=tracked)
        motions[clip_name(source, motions)] = driving.motion
    return motions


def _clips(trained, baked, motions) -> list:
    from imavatar.export.clips import make_clip

    fps = trained.config.plot.fps
    return [make_clip(name, trained.flame, baked.skeleton, motion, fps) for name, motion in motions.items()]


def _named_shapes(trained, baked) -> dict:
    from imavatar.export.arkit import expression_shapes

    named = trained.head.named_expressions
    if not named:
        raise ConfigError(f"--named: the head model {trained.head.name} names no expressions")
    return expression_shapes(baked, named)


def _arkit_shapes(trained, baked) -> dict:
    from imavatar.export.arkit import arkit_shapes

    units = trained.head.face_units
    if not units:
        raise ConfigError(
            f"--arkit: the head model {trained.head.name} defines no face units; the open head does: where it is an "
            "older build delete open_head.npz and run: python scripts/build_head.py"
        )
    return arkit_shapes(baked, trained.flame, units)


def _compare(trained, baked, n_frames: int, gaps, shown, out: Path) -> None:
    """Print and write how near the export is to the avatar in test frames, and what the format leaves out."""
    from imavatar import build
    from imavatar.export.fidelity import image_fidelity, surface_fidelity

    dataset = build.build_dataset(trained.config, "test", only_json=True)
    rows = evenly(len(dataset), n_frames)
    heads = dataset.head(rows)
    bound = trained.config.model.ray_tracer.object_bounding_sphere
    surface = surface_fidelity(baked, trained.avatar, trained.flame, heads, trained.latent, bound, shown=shown)
    print(
        f"surface, {surface.frames} test frames: off by {surface.mean:.3f} mm on average, {surface.quantile_99:.3f} mm "
        f"at 99 %, {surface.largest:.2f} mm at most",
        flush=True,
    )
    renderer = build.build_renderer(trained.config, trained.avatar)
    size = {"height": dataset.height, "width": dataset.width}
    camera = dataset.camera(rows)
    values = image_fidelity(baked, renderer, trained.flame, heads, camera, trained.latent, **size)
    mean = sum(values) / len(values)
    print(f"images, unlit: PSNR {mean:.2f} dB against the avatar's own renderings, {min(values):.2f} dB at worst")
    print(
        f"the sweep halfway between its frames: off by {gaps.between_mean:.4f} mm on average, "
        f"{gaps.between_largest:.2f} mm at most; an open jaw without its correctives: "
        f"{gaps.uncorrected_mean:.2f} mm on average, {gaps.uncorrected_largest:.2f} mm at most"
    )
    content = {
        "surface_mm": asdict(surface),
        "psnr": {"mean": mean, "worst": min(values), "frames": values},
        "approximations_mm": asdict(gaps),
    }
    write_text(out, json.dumps(content, indent=1))
