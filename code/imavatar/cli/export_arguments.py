"""Arguments of the commands that export an avatar."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import MOST_CELLS, MOST_FACES, MOST_FRAMES, MOST_SIDE, options_of, whole
from imavatar.workflows.driving import MOTION_HELP
from imavatar.workflows.exporting import MESH_FORMATS, ExportOptions

MOST_TARGETS = 1000


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """What says how an avatar is baked and what its file holds."""
    defaults, add = ExportOptions(), parser.add_argument
    add("--subject", help="instead of dataset.subject_name")
    add("--checkpoint", default="latest", help="epoch to load (default: latest)")

    def add_number(name: str, least: int, most: int, text: str, metavar: str | None = None) -> None:
        default = getattr(defaults, name)
        add(f"--{name}", type=whole(least, most), default=default, metavar=metavar, help=text)

    def add_flag(name: str, text: str) -> None:
        add(f"--{name}", action="store_true", help=text)

    add_number("resolution", 8, MOST_CELLS, "cells along the surface's longest side")
    add_number("faces", 100, MOST_FACES, f"faces of the mesh at most (default: {defaults.faces})")
    add_flag("trim", "cut the bust off where the training's pictures end (an open edge)")
    add_number("expressions", 0, MOST_TARGETS, "expression targets (default: as many as were trained)")
    add_number("texture", 0, MOST_SIDE, "side of the texture, pixels; 0: colours of vertices")
    add_number("average", 0, MOST_FRAMES, "colours: mean over N training frames, not the neutral's", "N")
    add("--motion", action="append", default=[], help=f"becomes a clip; repeatable. Each is {MOTION_HELP}")
    add_flag("named", "targets of the head model's named expressions too")
    add_flag("arkit", "targets of ARKit's face units too, where the head model defines them")
    add_flag("quantise", "targets in 16 bits: smaller, but not every program reads that")
    add("--npz", type=Path, help="write everything in full precision here")
    add("--meshes", type=Path, metavar="DIR", help="write the clips' frames as meshes here")
    add("--mesh-format", choices=sorted(MESH_FORMATS), default=defaults.mesh_format, help="of --meshes (default: ply)")
    add_number("check", 0, MOST_FRAMES, f"test frames to compare in (default: {defaults.check})", "N")


def export_options(args: argparse.Namespace) -> ExportOptions:
    """What the arguments of `add_export_arguments` ask for."""
    return options_of(ExportOptions, args, motions=tuple(args.motion))
