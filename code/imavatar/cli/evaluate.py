"""`scripts/evaluate.py`: trained runs under one of the published protocols."""

import argparse
import json
import logging
from pathlib import Path

from imavatar.baselines.names import TEXTURED_HEAD
from imavatar.cli.common import ProgressLine, run_command
from imavatar.errors import ConfigError, ImavatarError

logger = logging.getLogger(__name__)

PROTOCOL_NAMES = ("paper", "foreground", "no-cloth")
MESH_RESOLUTION = 128


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
    parser.add_argument("--sequence", action="append", help="test sequence (default: those of the configuration)")
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument("--again", action="store_true", help="score what has been scored already, too")
    parser.add_argument("--images", action="store_true", help="keep the renderings and their normals")
    args = parser.parse_args(argv)
    args.protocol = args.protocol or ["paper"]
    run_command(lambda: evaluate_runs(args))


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
        except ImavatarError as error:
            failures.append(f"{run}: {error}")
    for found in filter(None, results.values()):
        print(protocol_table(found))
    if failures:
        raise ImavatarError("\n".join(failures))


def _evaluate_run(run: Path, args: argparse.Namespace) -> list[tuple[str, str, dict]]:
    """Protocol, name and content of the results of all sequences."""
    from imavatar import build
    from imavatar.cli.trained import keypoint_detector, load_trained
    from imavatar.evaluation.lpips import load_lpips
    from imavatar.evaluation.protocol_scores import Tools

    conf = run / "config.conf"
    if not conf.is_file():
        raise ConfigError(f"{conf} does not exist: a run's folder is EXPS_FOLDER/SUBJECT/METHOD/TRAIN")
    trained = load_trained(conf, None, args.checkpoint, load_path=run / "train")
    if args.fit_test and trained.config.model.method == TEXTURED_HEAD:
        raise ConfigError("--fit-test: the textured head has no gradients to fit with")
    tools, results = None, []
    for sequence in args.sequence or trained.config.dataset.test.sub_dir:
        folder = run / "eval" / sequence / f"epoch_{trained.epoch}"
        files = {name: folder / f"protocol_{name}{'_fit' if args.fit_test else ''}.json" for name in args.protocol}
        wanted = [name for name, file in files.items() if args.again or not file.is_file()]
        if wanted:
            tools = tools or Tools(load_lpips(), keypoint_detector())
            dataset = build.build_dataset(
                build.with_test_dir(trained.config, sequence), "test", use_semantics="no-cloth" in wanted
            )
            _score(trained, dataset, folder, tools, wanted, args)
        label = f"{trained.config.dataset.subject_name}/{run.parent.name} {sequence}"
        results += [(name, label, json.loads(file.read_text(encoding="utf-8"))) for name, file in files.items()]
    return results


def _score(trained, dataset, folder: Path, tools, names: list[str], args: argparse.Namespace) -> None:
    """Render and score one sequence."""
    import torch

    from imavatar import build
    from imavatar.evaluation.fitting import fit_frame
    from imavatar.evaluation.protocol_scores import score_sequence, write_protocol
    from imavatar.evaluation.protocols import PAPER_SIZE, PROTOCOLS
    from imavatar.evaluation.surface_distance import TrueMeshes

    size = (dataset.height, dataset.width)
    if "paper" in names and size != PAPER_SIZE:
        logger.warning("the paper's numbers are of images of %d x %d, these are of %d x %d", *PAPER_SIZE, *size)
    meshes = dataset.records[0].image_path.parents[1] / "ground_truth" / "vertices.npz"
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
