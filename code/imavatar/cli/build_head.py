"""`scripts/build_head.py`: the open head, and where the landmarks lie on a head."""

import argparse
from collections.abc import Callable
from pathlib import Path

from imavatar import assets
from imavatar.cli.arguments import MOST_SEED, whole
from imavatar.cli.common import command
from imavatar.files.locks import LOCK_FILE

OPEN_HEAD = "open"


@command
def build_head_main(argv: list[str] | None = None) -> None:
    """Build the open head, and find the landmarks of the head named; what is there is kept."""
    parser = argparse.ArgumentParser(
        description="Build the open head, and find where the landmarks lie on a head model."
    )
    parser.add_argument("--head", default=OPEN_HEAD, help="open, flame2020, flame2023, or a path (default: open)")
    parser.add_argument("--seed", type=whole(0, MOST_SEED), default=0, help="of the open head's random faces")
    args = parser.parse_args(argv)

    from imavatar.head.assets import find_head
    from imavatar.head.detector_bias import bias_path
    from imavatar.head.landmarks import embedding_path

    if args.head == OPEN_HEAD:
        _make(assets.assets_dir() / "open_head.npz", lambda path: _build_open_head(path, args.seed))
    path = find_head(args.head)
    print(f"head: {path}")
    _find_landmarks(path)
    print(f"landmarks: {embedding_path(path)}, {bias_path(path).name}")


def _make(file: Path, make: Callable[[Path], None]) -> None:
    """Make a file that is not there, under the lock of its folder, which fetching holds too."""
    from imavatar.data.workplace import alone, remove_leftovers

    if file.exists():
        return
    with alone(file.with_name(LOCK_FILE), "the building of a head model"):
        remove_leftovers(file.parent)
        if not file.exists():  # another process may just have made it
            make(file)


def _build_open_head(path: Path, seed: int) -> None:
    from imavatar.head.assets import save_head
    from imavatar.head.open_head import build_open_head

    print("building the open head ...", flush=True)
    save_head(path, build_open_head(assets.asset_path("makehuman"), seed=seed))


def _find_landmarks(path: Path) -> None:
    from imavatar.head.assets import load_head
    from imavatar.preprocessing.detectors import measure_landmarks

    print("finding the landmarks on the head, and how their detector errs ...", flush=True)
    measure_landmarks(path, lambda: load_head(path))
