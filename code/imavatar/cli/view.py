"""`scripts/view.py`: a trained avatar in the browser, live."""

import argparse
import threading
from pathlib import Path

from imavatar.cli.arguments import options_of
from imavatar.cli.common import command


@command
def view_main(argv: list[str] | None = None) -> None:
    """Serve the viewer's page until interrupted."""
    from imavatar.workflows.driving import MOTION_HELP
    from imavatar.workflows.trained import load_trained
    from imavatar.workflows.viewing import ViewerOptions, check_viewer, view

    defaults = ViewerOptions()
    parser = argparse.ArgumentParser(description="Look at a trained avatar in a browser and move it by sliders.")
    add = parser.add_argument
    add("--conf", type=Path, required=True, help="configuration of the run")
    add("--subject", help="instead of dataset.subject_name")
    add("--checkpoint", default="latest", help="epoch to load (default: latest)")
    add("--motion", action="append", default=[], help=f"that can be played; repeatable. Each is {MOTION_HELP}")
    add(
        "--host",
        default=defaults.host,
        help=f"interface to listen at (default: {defaults.host}, for this machine only; 0.0.0.0: all, unencrypted)",
    )
    add("--port", type=int, default=defaults.port, help=f"(default: {defaults.port})")
    for name, text in (
        ("size", f"side of the images, pixels (default: {defaults.size})"),
        ("resolution", "cells along the mesh's longest side"),
        ("faces", f"faces of the mesh at most (default: {defaults.faces})"),
    ):
        add(f"--{name}", type=int, default=getattr(defaults, name), help=text)
    args = parser.parse_args(argv)
    for name, least in (("size", 64), ("resolution", 8), ("faces", 100)):
        if getattr(args, name) < least:
            parser.error(f"--{name} is {getattr(args, name)}, expected at least {least}")
    options = options_of(ViewerOptions, args, motions=tuple(args.motion))
    check_viewer(options)
    viewer = view(load_trained(args.conf, args.subject, args.checkpoint), options)
    print("open " + " or, from another machine, ".join(viewer.addresses()), flush=True)
    try:
        threading.Event().wait()
    finally:
        viewer.stop()
