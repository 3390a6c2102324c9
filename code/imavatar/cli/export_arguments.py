"""Arguments of the commands that export an avatar."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import MOST_CELLS, MOST_FACES, MOST_FRAMES, MOST_SIDE, whole
from imavatar.workflows.driving import MOTION_HELP
from imavatar.workflows.exporting import MESH_FORMATS, ExportOptions

MOST_TARGETS = 1000


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """What says how an avatar is baked and what its file holds."""
    defaults = ExportOptions()
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument(
        "--resolution",
        type=whole(8, MOST_CELLS),
        default=defaults.resolution,
        help="cells along the surface's longest side",
    )
    parser.add_argument(
        "--faces",
        type=whole(100, MOST_FACES),
        default=defaults.faces,
        help=f"faces of the mesh at most (default: {defaults.faces})",
    )
    parser.add_argument(
        "--trim", action="store_true", help="cut the bust off where the training's pictures end (an open edge)"
    )
    parser.add_argument(
        "--expressions", type=whole(0, MOST_TARGETS), help="expression targets (default: as many as were trained)"
    )
    parser.add_argument(
        "--texture",
        type=whole(0, MOST_SIDE),
        default=defaults.texture,
        help="side of the texture, pixels; 0: colours of vertices",
    )
    parser.add_argument(
        "--average",
        type=whole(0, MOST_FRAMES),
        default=defaults.average,
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
    parser.add_argument(
        "--mesh-format", choices=sorted(MESH_FORMATS), default=defaults.mesh_format, help="of --meshes (default: ply)"
    )
    parser.add_argument(
        "--check",
        type=whole(0, MOST_FRAMES),
        default=defaults.check,
        metavar="N",
        help=f"test frames to compare in (default: {defaults.check})",
    )


def export_options(args: argparse.Namespace) -> ExportOptions:
    """What the arguments of `add_export_arguments` ask for."""
    names = ("resolution", "faces", "trim", "expressions", "texture", "average", "named", "arkit", "quantise")
    more = ("check", "npz", "meshes", "mesh_format")
    chosen = {name: getattr(args, name) for name in names + more}
    return ExportOptions(motions=tuple(args.motion), **chosen)
