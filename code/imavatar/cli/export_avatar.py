"""`scripts/export_avatar.py`: a trained avatar as a skinned mesh with morph targets, for Blender, engines, browsers."""

import argparse
from pathlib import Path

from imavatar.cli.common import command


@command
def export_avatar_main(argv: list[str] | None = None) -> None:
    """Bake an avatar and write it."""
    from imavatar.cli.export_arguments import add_export_arguments, export_options
    from imavatar.workflows.exporting import GLB, export_avatar
    from imavatar.workflows.trained import load_trained

    parser = argparse.ArgumentParser(description="Export a trained avatar as a rigged mesh (glTF 2.0).")
    parser.add_argument("--conf", type=Path, required=True, help="configuration of the run")
    parser.add_argument("--out", type=Path, required=True, help="file to write (.glb)")
    add_export_arguments(parser)
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != GLB:
        parser.error(f"--out is {args.out}, expected a name that ends in {GLB}")
    export_avatar(load_trained(args.conf, args.subject, args.checkpoint), args.out, export_options(args))
