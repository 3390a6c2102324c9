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
    args = _arguments(argv)
    from imavatar.evaluation.looks import COLUMNS
    from imavatar.evaluation.number_table import table
    from imavatar.evaluation.tables import ProtocolMeans, Values, protocol_table
    from imavatar.workflows.evaluating import ScoreOptions, score_run
    from imavatar.workflows.looks import look_at_run
    from imavatar.workflows.trained import load

    protocols = args.protocol or ["paper"]
    options = ScoreOptions(tuple(args.sequence or ()), args.fit_test, args.again, args.images or args.looks)
    results: dict[str, list[tuple[str, ProtocolMeans]]] = {name: [] for name in protocols}
    looks: dict[str, Values] = {}
    failures = []
    for run in args.runs:
        try:
            trained = load(run, args.checkpoint)
            label = f"{trained.config.dataset.subject_name}/{run.parent.name}"
            for sequence, found in score_run(trained, protocols, options).items():
                for name, means in found.items():
                    results[name].append((f"{label} {sequence}", means))
            if args.looks:
                seen = look_at_run(trained, protocols, options)
                looks |= {f"{label} {sequence}": own.values for sequence, own in seen.items()}
        except (ImavatarError, OSError) as error:
            failures.append(f"{run}: {error}")
    for found in filter(None, results.values()):
        print(protocol_table(found))
    if looks:
        print(table(COLUMNS, looks))
    if failures:
        raise ImavatarError("\n".join(failures))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    """What the command line asks for."""
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
    parser.add_argument(
        "--looks",
        action="store_true",
        help="besides, compare lids, lips, gaze and identity of the renderings' faces with those of the pictures",
    )
    args = parser.parse_args(argv)
    if args.looks and args.fit_test:
        parser.error("--looks is of renderings with the frames' own parameters: not together with --fit-test")
    return args
