"""`scripts/build_head.py`: the open head, and where the landmarks lie on a head."""

import argparse
from pathlib import Path

from imavatar import assets
from imavatar.cli.common import run_command

FLAME_DIR = "flame"
OPEN_HEAD = "open"


def build_head_main(argv: list[str] | None = None) -> None:
    """Build the open head, and the landmark embedding of the head named; what is there is kept."""
    parser = argparse.ArgumentParser(
        description="Build the open head, and find where the landmarks lie on a head model."
    )
    parser.add_argument("--head", default=OPEN_HEAD, help="open, flame2020, flame2023, or a path (default: open)")
    parser.add_argument("--seed", type=int, default=0, help="of the open head's random faces")
    args = parser.parse_args(argv)
    run_command(lambda: build_head(args.head, args.seed))


def build_head(name: str, seed: int) -> None:
    """Make sure that a head's file and its landmark embedding exist."""
    from imavatar.head.assets import find_head, load_head, save_head
    from imavatar.head.landmarks import compute_embedding, embedding_path, save_embedding
    from imavatar.head.open_head import build_open_head
    from imavatar.preprocessing.detectors import landmarker, single_image_detector

    folder = assets.assets_dir()
    open_head = folder / "open_head.npz"
    if name == OPEN_HEAD and not open_head.exists():
        print("building the open head ...", flush=True)
        save_head(open_head, build_open_head(assets.asset_path("makehuman"), seed=seed))
    path = find_head(name, folder, assets.project_dir() / FLAME_DIR)
    print(f"head: {path}")
    target: Path = embedding_path(path)
    if not target.exists():
        print("finding the landmarks on the head ...", flush=True)
        head = load_head(path)
        detector = single_image_detector(landmarker("mediapipe", folder))
        save_embedding(target, compute_embedding(head, detector), head)
    print(f"landmarks: {target}")
