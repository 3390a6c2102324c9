"""`scripts/exp_runner.py`: train an avatar, or evaluate one. Arguments are named as the authors'."""

import argparse
from pathlib import Path

from imavatar.cli.common import command


@command
def exp_runner_main(argv: list[str] | None = None) -> None:
    """Train, or with --is_eval evaluate."""
    args = _parser().parse_args(argv)
    (_evaluate if args.is_eval else _train)(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train or evaluate an avatar.")
    parser.add_argument("--conf", type=Path, required=True, help="configuration file (HOCON)")
    parser.add_argument("--is_eval", action="store_true", help="evaluate on the test sequence")
    parser.add_argument("--nepoch", type=int, help="epochs (default: train.nepoch)")
    parser.add_argument("--is_continue", action="store_true", help="resume the run from its --checkpoint")
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument("--load_path", type=Path, help="folder whose checkpoints/ is loaded instead")
    parser.add_argument("--only_json", action="store_true", help="evaluate without test images")
    parser.add_argument(
        "--optimised",
        action="store_true",
        help="evaluate the training frames with the expressions, poses and cameras that training optimised",
    )
    parser.add_argument("--wandb_workspace", help="log to this wandb workspace too")
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    parser.add_argument(
        "--split", choices=("last", "blocks"), help="the subject's frames as split.py or preprocess.py has divided them"
    )
    return parser


def _train(args: argparse.Namespace) -> None:
    from imavatar.workflows.training import TrainOptions, train

    options = TrainOptions(
        args.nepoch, args.is_continue, args.checkpoint, args.load_path, args.wandb_workspace, args.split
    )
    train(args.conf, args.subject, options)


def _evaluate(args: argparse.Namespace) -> None:
    from imavatar.workflows.evaluating import evaluate_run
    from imavatar.workflows.trained import load_trained

    trained = load_trained(args.conf, args.subject, args.checkpoint, args.load_path, split=args.split)
    found = evaluate_run(trained, only_json=args.only_json, optimised=args.optimised)
    for name, evaluation in found.sequences.items():
        print(evaluation.table())
        if name in found.agreements:
            print(found.agreements[name])
        print(f"results: {evaluation.folder}")
    print(f"report: {found.report}")
