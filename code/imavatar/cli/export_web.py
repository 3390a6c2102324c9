"""`scripts/export_web.py`: a trained avatar as a page for the browser."""

import argparse
from pathlib import Path

from imavatar import assets
from imavatar.cli.common import command
from imavatar.cli.export_avatar import GLB, add_export_arguments, export_avatar


@command
def export_web_main(argv: list[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(
        description="Write a page that shows an avatar with sliders and clips; it needs no server and no network."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--conf", type=Path, help="configuration of a run, whose avatar is exported first")
    source.add_argument("--avatar", type=Path, metavar="FILE", help="an avatar that is exported already (.glb)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--title", help="of the page (default: the subject's or the file's name)")
    add_export_arguments(parser)
    args = parser.parse_args(argv)
    export_web(args)


def export_web(args: argparse.Namespace) -> None:
    """Export the avatar where that has not been done, and write the page around it."""
    from imavatar.export.web_page import AVATAR, check_title, write_page

    three = assets.asset_bytes("three")
    avatar, title = args.avatar, args.title
    check_title(title or "")
    if avatar is None:
        avatar, subject = args.out / AVATAR, _export(args, args.out / AVATAR)
        title = title or subject
    page = write_page(args.out, avatar, three, title or avatar.name.removesuffix(GLB))
    print(f"page: {page} ({page.stat().st_size / 1e6:.1f} MB)")


def _export(args: argparse.Namespace, out: Path) -> str:
    """Export with sliders for all that the head model names; returns the subject's name."""
    from imavatar import build
    from imavatar.config import load_config

    config = build.with_subject(load_config(args.conf), args.subject)
    head = build.build_head_assets(config)
    options = {
        "out": out,
        "named": args.named or bool(head.named_expressions),
        "arkit": args.arkit or bool(head.face_units),
        "quantise": True,
    }
    # Tracked recordings hold pictures of a person: not into a folder that is made to be given away.
    export_avatar(argparse.Namespace(**{**vars(args), **options}), tracked=args.out.parent / "tracked")
    return config.dataset.subject_name
