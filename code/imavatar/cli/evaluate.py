"""`scripts/evaluate.py`: trained runs under one of the published protocols."""

import argparse
from pathlib import Path

from imavatar.cli.arguments import plain_name
from imavatar.cli.common import command
from imavatar.errors import ImavatarError

PROTOCOL_NAMES = ("paper", "foreground", "no-cloth", "full", "mask", "face", "eyes", "mouth", "hair-rim")


@command
def evaluate_main(argv: list[str] | None = None) -> None:
    """Score and print a table; a run that fails is reported and does not stop the others."""
    parser = argparse.ArgumentParser(description="Score trained runs under a published protocol.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run, with its config.conf")
    parser.add_argument(
        "--protocol",
        choices=PROTOCOL_NAMES,
        action="append",
        help="which pixels count (default: paper); several share one rendering",
    )
    parser.add_argument(
        "--fit-test",
        action="store_true",
        help="first fit expression and pose to every test picture; the numbers compare with no others",
    )
    parser.add_argument(
        "--sequence", type=plain_name, action="append", help="test sequence (default: those of the configuration)"
    )
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument("--again", action="store_true", help="score what has been scored already, too")
    parser.add_argument("--images", action="store_true", help="keep the renderings and their normals")
    args = parser.parse_args(argv)

    from imavatar.evaluation.tables import ProtocolMeans, protocol_table
    from imavatar.workflows.evaluating import ScoreOptions, score_run
    from imavatar.workflows.trained import load

    protocols = args.protocol or ["paper"]
    options = ScoreOptions(tuple(args.sequence or ()), args.fit_test, args.again, args.images)
    results: dict[str, list[tuple[str, ProtocolMeans]]] = {name: [] for name in protocols}
    failures = []
    for run in args.runs:
        try:
            trained = load(run, args.checkpoint)
            for sequence, found in score_run(trained, protocols, options).items():
                label = f"{trained.config.dataset.subject_name}/{run.parent.name} {sequence}"
                for name, means in found.items():
                    results[name].append((label, means))
        except (ImavatarError, OSError) as error:
            failures.append(f"{run}: {error}")
    for found in filter(None, results.values()):
        print(protocol_table(found))
    if failures:
        raise ImavatarError("\n".join(failures))
