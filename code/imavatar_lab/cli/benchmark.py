"""`scripts/benchmark.py`: the fast search and step against the paper's, in one process."""

import argparse
import json
from pathlib import Path

from imavatar.cli.arguments import MOST_SIDE, whole
from imavatar.cli.common import command
from imavatar.files.atomic import write_text
from imavatar.paths import confs_dir

DEFAULT_CONF = confs_dir() / "IMavatar_supervised.conf"
MOST_RAYS, MOST_REPEATS = 10_000_000, 1000


@command
def benchmark_main(argv: list[str] | None = None) -> None:
    """Measure and print a table; takes a few minutes on two cores."""
    parser = argparse.ArgumentParser(description="Costs of the fast search and training step against the paper's.")
    parser.add_argument("--conf", type=Path, default=DEFAULT_CONF, help="networks and losses (default: the paper's)")
    parser.add_argument(
        "--reference-checkpoint", type=Path, metavar="DIR", help="weights and head of a folder as check_parity.py takes"
    )
    parser.add_argument(
        "--rays", type=whole(1, MOST_RAYS), default=2048, help="rays of a training step (default: 2048)"
    )
    parser.add_argument(
        "--size", type=whole(1, MOST_SIDE), default=256, help="side of the image, pixels (default: 256)"
    )
    parser.add_argument(
        "--repeats", type=whole(1, MOST_REPEATS), default=3, help="runs of which the median is taken (default: 3)"
    )
    parser.add_argument("--fast-only", action="store_true", help="leave out the paper's side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers here")
    _benchmark(parser.parse_args(argv))


def _benchmark(args: argparse.Namespace) -> None:
    from imavatar.numerics.device import choose_device
    from imavatar_lab.benchmark.report import Settings, run_benchmark
    from imavatar_lab.benchmark.scene import build_scene

    scene = build_scene(args.conf, args.reference_checkpoint, choose_device())
    settings = Settings(n_rays=args.rays, size=args.size, repeats=args.repeats, paper=not args.fast_only)
    values = run_benchmark(scene, settings, lambda line: print(line, flush=True))
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        write_text(args.json, json.dumps(values, indent=1))
