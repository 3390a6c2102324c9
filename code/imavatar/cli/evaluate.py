"""`scripts/evaluate.py`: trained runs under one of the published protocols."""

import argparse
import logging
from pathlib import Path

from imavatar.baselines.names import TEXTURED_HEAD
from imavatar.cli.arguments import plain_name
from imavatar.cli.common import ProgressLine, command
from imavatar.data.workplace import alone, remove_all_leftovers
from imavatar.errors import ConfigError, ImavatarError
from imavatar.training.run_folder import RunFolder

logger = logging.getLogger(__name__)

PROTOCOL_NAMES = ("paper", "foreground", "no-cloth")
MESH_RESOLUTION = 128


@command
def evaluate_main(argv: list[str] | None = None) -> None:
    """Score and print a table."""
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
    args.protocol = args.protocol or ["paper"]
    evaluate_runs(args)


def evaluate_runs(args: argparse.Namespace) -> None:
    """Score every run; one that fails is reported and does not stop the others.

    Raises:
        ImavatarError: some run could not be scored; the others are.
    """
    from imavatar.evaluation.protocol_table import protocol_table

    results: dict[str, list[tuple[str, dict]]] = {name: [] for name in args.protocol}
    failures = []
    for run in args.runs:
        try:
            for protocol, name, content in _evaluate_run(run, args):
                results[protocol].append((name, content))
        except (ImavatarError, OSError) as error:
            failures.append(f"{run}: {error}")
    for found in filter(None, results.values()):
        print(protocol_table(found))
    if failures:
        raise ImavatarError("\n".join(failures))


def _evaluate_run(run: Path, args: argparse.Namespace) -> list[tuple[str, str, dict]]:
    """Protocol, name and content of the results of all sequences."""
    from imavatar.cli.trained import load_trained
    from imavatar.evaluation.protocol_table import read_results

    conf = run / "config.conf"
    if not conf.is_file():
        raise ConfigError(f"{conf} does not exist: a run's folder is EXPS_FOLDER/SUBJECT/METHOD/TRAIN")
    trained = load_trained(conf, None, args.checkpoint, load_path=run / "train")
    if args.fit_test and trained.config.model.method == TEXTURED_HEAD:
        raise ConfigError("--fit-test: the textured head has no gradients to fit with")
    sequences = args.sequence or trained.config.dataset.test.sub_dir
    files = {sequence: _files(run, sequence, trained.epoch, args) for sequence in sequences}
    if args.again or not all(file.is_file() for own in files.values() for file in own.values()):
        _score_missing(trained, RunFolder(run), files, args)
    results = []
    for sequence, own in files.items():
        label = f"{trained.config.dataset.subject_name}/{run.parent.name} {sequence}"
        results += [(name, label, read_results(file)) for name, file in own.items()]
    return results


def _files(run: Path, sequence: str, epoch: int, args: argparse.Namespace) -> dict[str, Path]:
    """Where the results of a sequence are, by protocol."""
    folder, fit = RunFolder(run).evaluation(sequence, epoch), "_fit" if args.fit_test else ""
    return {name: folder / f"protocol_{name}{fit}.json" for name in args.protocol}


def _score_missing(trained, run: RunFolder, files: dict[str, dict[str, Path]], args: argparse.Namespace) -> None:
    """Score what is not there, or all with --again.

    Raises:
        BusyError: another process evaluates the run.
    """
    from imavatar import build
    from imavatar.cli.trained import keypoint_detector
    from imavatar.evaluation.lpips import load_lpips
    from imavatar.evaluation.protocol_scores import Tools

    with alone(run.evaluation_lock, "an evaluation"):
        remove_all_leftovers(run.evaluation_lock.parent)
        tools = None
        for sequence, own in files.items():
            wanted = [name for name, file in own.items() if args.again or not file.is_file()]
            if wanted:
                tools = tools or Tools(load_lpips(), keypoint_detector())
                dataset = build.build_dataset(
                    build.with_test_dir(trained.config, sequence), "test", use_semantics="no-cloth" in wanted
                )
                _score(trained, dataset, own[wanted[0]].parent, tools, wanted, args)


def _score(trained, dataset, folder: Path, tools, names: list[str], args: argparse.Namespace) -> None:
    """Render and score one sequence."""
    import torch

    from imavatar import build
    from imavatar.data.subject import Inside
    from imavatar.evaluation.fitting import fit_frame
    from imavatar.evaluation.protocol_scores import score_sequence, write_protocol
    from imavatar.evaluation.protocols import PAPER_SIZE, PROTOCOLS
    from imavatar.evaluation.surface_distance import TrueMeshes

    size = (dataset.height, dataset.width)
    if "paper" in names and size != PAPER_SIZE:
        logger.warning("the paper's numbers are of images of %d x %d, these are of %d x %d", *PAPER_SIZE, *size)
    recording = dataset.records[0].folder
    meshes = recording / "ground_truth" / "vertices.npz"
    Inside().check(meshes, recording)
    generator = torch.Generator().manual_seed(trained.config.train.seed)
    latent = trained.latent

    def fit(frame):
        return fit_frame(trained.avatar, trained.flame, frame, latent, generator)

    scored = score_sequence(
        dataset,
        trained.flame,
        build.build_renderer(trained.config, trained.avatar),
        [PROTOCOLS[name] for name in names],
        tools=tools,
        latent=latent,
        fit=fit if args.fit_test else None,
        truth=TrueMeshes(meshes) if meshes.is_file() else None,
        mesh_resolution=MESH_RESOLUTION,
        keep=_keeper(folder) if args.images else None,
        progress=ProgressLine(f"frames of {dataset.records[0].sub_dir} scored"),
    )
    for name in names:
        write_protocol(folder, scored[name], PROTOCOLS[name], size=size, fitted=args.fit_test)


def _keeper(folder: Path):
    """Writes renderings and normals."""
    from imavatar.data.images import write_png
    from imavatar.rendering.strips import colour_bytes, normal_bytes

    for kind in ("rgb", "normal"):
        (folder / kind).mkdir(parents=True, exist_ok=True)

    def keep(frame, rendered) -> None:
        write_png(folder / "rgb" / f"{frame.name}.png", colour_bytes(rendered.rgb))
        write_png(folder / "normal" / f"{frame.name}.png", normal_bytes(rendered.normal, rendered.alpha))

    return keep
