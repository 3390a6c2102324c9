"""`scripts/export_web.py`: a trained avatar as a page for the browser."""

import argparse
from pathlib import Path

from imavatar.cli.common import command


@command
def export_web_main(argv: list[str] | None = None) -> None:
    """Write the page."""
    from imavatar.cli.export_arguments import add_export_arguments, export_options
    from imavatar.workflows.exporting import check_page, export_web, page_of_file
    from imavatar.workflows.trained import load_trained

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
    check_page(args.title)
    if args.avatar is not None:
        page = page_of_file(args.avatar, args.out, args.title)
    else:
        trained = load_trained(args.conf, args.subject, args.checkpoint)
        page = export_web(trained, args.out, export_options(args), title=args.title)
    print(f"page: {page} ({page.stat().st_size / 1e6:.1f} MB)")
