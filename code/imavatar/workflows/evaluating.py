"""Trained avatars rendered and scored on their test sequences; the results lie in the run's folder."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from imavatar import build
from imavatar.baselines.names import TEXTURED_HEAD
from imavatar.data.dataset import Frame
from imavatar.data.subject_table import SubjectTable
from imavatar.data.workplace import alone, remove_all_leftovers
from imavatar.errors import ConfigError
from imavatar.evaluation.fitting import fitted_poses
from imavatar.evaluation.protocols import PAPER_SIZE, Protocol, protocols_of
from imavatar.evaluation.results import Evaluation, OutputSettings, evaluate, image_name, write_images
from imavatar.evaluation.run_report import write_run_report
from imavatar.evaluation.scoring import Networks, score
from imavatar.evaluation.tables import ProtocolMeans, protocol_file, read_protocol, write_protocol
from imavatar.files.atomic import write_text
from imavatar.rendering.image import RenderedImage
from imavatar.rendering.search_check import SearchAgreement, compare_searches
from imavatar.training.checkpoint_head import check_shape
from imavatar.training.checkpoints import read_checkpoint
from imavatar.training.state import load_tables
from imavatar.types import PosedHead, View
from imavatar.workflows.networks import load_networks
from imavatar.workflows.trained import TrainedAvatar

logger = logging.getLogger(__name__)

CHECKED_PER_SIDE = 16
"""Rays along each side of the grid on which the renderer's search is checked."""

Pose = Callable[[Frame], PosedHead]


@dataclass(frozen=True)
class RunEvaluation:
    """The test sequences of a run.

    Attributes:
        sequences: by their names.
        agreements: of the renderer's search with the paper's, on some rays of each sequence's first frame; methods
            without a search have none.
        report: the page about the whole run.
    """

    sequences: dict[str, Evaluation]
    agreements: dict[str, SearchAgreement]
    report: Path


def evaluate_run(trained: TrainedAvatar, *, only_json: bool = False, optimised: bool = False) -> RunEvaluation:
    """Render and measure the test sequences, and write images, video, mesh and tables into `eval/` of the run's folder.

    Args:
        only_json: the sequences have no images; nothing is compared with them.
        optimised: instead, the training frames with the expressions, poses and cameras that training optimised.

    Raises:
        BusyError: another process evaluates the run.
        ConfigError: `optimised`, but training optimised nothing.
        DataError: a recording is not there or damaged.
    """
    config, lock = trained.config, trained.folder.evaluation_lock
    with alone(lock, "an evaluation"):
        remove_all_leftovers(lock.parent)
        networks = load_networks()
        inputs = [_optimised_frames(trained, only_json)] if optimised else _test_sequences(trained, only_json)
        sequences, agreements = {}, {}
        for name, dataset, pose in inputs:
            found = sequences[name] = evaluate(
                trained.character,
                dataset,
                build.build_renderer(config, trained.character.avatar),
                trained.folder.evaluation(name, trained.epoch),
                networks=networks,
                pose=pose,
                settings=OutputSettings(config.plot.mesh_resolution, config.plot.fps),
            )
            if config.model.method != TEXTURED_HEAD:
                agreements[name] = _check_search(trained, dataset)
                write_text(found.folder / "search_check.json", json.dumps(asdict(agreements[name]), indent=1))
        return RunEvaluation(sequences, agreements, _write_report(trained, sequences))


def _test_sequences(trained: TrainedAvatar, only_json: bool) -> Iterator[tuple[str, SubjectTable, None]]:
    config = trained.config
    for name in config.dataset.test.sub_dir:
        dataset = build.build_dataset(build.with_test_dir(config, name), "test", only_json=only_json)
        shape = build.build_flame(config, trained.head, dataset.shape_params).v_template
        check_shape(shape, trained.character.flame, f"test sequence {name}")
        yield name, dataset, None


def _optimised_frames(trained: TrainedAvatar, only_json: bool) -> tuple[str, SubjectTable, Pose]:
    """The training frames as training left them, each with its own latent code."""
    config = trained.config
    dataset = build.build_dataset(config, "train", only_json=only_json)
    frames = build.build_frame_parameters(config, dataset)
    if not frames.trainable():
        raise ConfigError("--optimised: training optimises no parameter of a frame; see the keys train.optimize_*")
    part = read_checkpoint(trained.checkpoints, trained.checkpoint, ["model", "inputs"])["inputs"]
    load_tables(frames, part.content, part.path)
    codes = frames.latent_codes.weight.detach().to(trained.character.device)
    row = {name: k for k, name in enumerate(dataset.names)}

    def pose(frame: Frame) -> PosedHead:
        k = row[f"{frame.sub_dir}/{frame.name}"]
        return replace(trained.character, latent=codes[k : k + 1]).pose(frame.head)

    name = "+".join(config.dataset.train.sub_dir) + "_optimised"
    return name, dataset.with_parameters(*frames.all_frames(dataset.camera())), pose


def _check_search(trained: TrainedAvatar, dataset: SubjectTable) -> SearchAgreement:
    """The renderer's search against the paper's, on a grid of rays of the first frame."""
    return compare_searches(
        trained.character.avatar,
        build.build_search(trained.config, "proxy"),
        build.build_search(trained.config, "paper"),
        View(dataset.camera([0]).to(trained.character.device), dataset.height, dataset.width),
        trained.pose(dataset.head([0])),
        stride=max(1, dataset.height // CHECKED_PER_SIDE),
    )


def _write_report(trained: TrainedAvatar, sequences: Mapping[str, Evaluation]) -> Path:
    config, folder = trained.config, trained.folder
    facts = {
        "subject": config.dataset.subject_name,
        "method": config.model.method,
        "configuration": config.train.methodname,
        "trained on": ", ".join(config.dataset.train.sub_dir),
        "epoch": str(trained.epoch),
        "head model": f"{trained.head.name}, {trained.n_expression} expression coefficients",
        "search in training": config.model.ray_tracer.search,
        "image size": "{} x {}".format(*config.dataset.test.img_res),
    }
    if folder.config.is_file():
        configuration = folder.config.read_text(encoding="utf-8", errors="replace")
    else:
        configuration = "the run's configuration is not there"
    return write_run_report(
        folder.root / "report.html",
        title=f"{config.dataset.subject_name}: {config.train.methodname}",
        facts=facts,
        configuration=configuration,
        scalars=folder.train / "train.csv",
        previews=folder.train / "previews",
        evaluations={name: each.folder for name, each in sequences.items()},
    )


@dataclass(frozen=True)
class ScoreOptions:
    """What `score_run` scores, and how.

    Attributes:
        sequences: test sequences; none: those of the configuration.
        fit: first fit expression and pose to every picture; such numbers compare with no others.
        again: score what has been scored already, too.
        images: keep the renderings and their normals.
    """

    sequences: Sequence[str] = ()
    fit: bool = False
    again: bool = False
    images: bool = False


def score_run(
    trained: TrainedAvatar, protocols: Sequence[str] = ("paper",), options: ScoreOptions = ScoreOptions()
) -> dict[str, dict[str, ProtocolMeans]]:
    """Means by the test sequence and the protocol; what isn't in the run's folder yet is rendered and scored.

    Args:
        protocols: names of `evaluation.protocols.PROTOCOLS`; several share one rendering.

    Raises:
        BusyError: another process evaluates the run.
        ConfigError: there is no such protocol, or the method cannot be fitted.
        DataError: a recording or a file of results is not there or damaged.
    """
    wanted = protocols_of(protocols)
    if options.fit and trained.config.model.method == TEXTURED_HEAD:
        raise ConfigError("--fit-test: the textured head has no gradients to fit with")
    sequences = options.sequences or trained.config.dataset.test.sub_dir
    folders = {name: trained.folder.evaluation(name, trained.epoch) for name in sequences}
    files = {
        name: {protocol.name: protocol_file(folder, protocol.name, fitted=options.fit) for protocol in wanted}
        for name, folder in folders.items()
    }
    if options.again or not all(path.is_file() for own in files.values() for path in own.values()):
        _score_missing(trained, files, wanted, options)
    return {name: {key: read_protocol(path) for key, path in own.items()} for name, own in files.items()}


def _score_missing(
    trained: TrainedAvatar, files: Mapping[str, Mapping[str, Path]], protocols: list[Protocol], options: ScoreOptions
) -> None:
    lock = trained.folder.evaluation_lock
    with alone(lock, "an evaluation"):
        remove_all_leftovers(lock.parent)
        networks = load_networks()
        for sequence, own in files.items():
            missing = [p for p in protocols if options.again or not own[p.name].is_file()]
            if missing:
                _score_sequence(trained, sequence, missing, networks, options)


def _score_sequence(
    trained: TrainedAvatar, sequence: str, protocols: Sequence[Protocol], networks: Networks, options: ScoreOptions
) -> None:
    config, folder = trained.config, trained.folder.evaluation(sequence, trained.epoch)
    semantics = any(protocol.needs_semantics for protocol in protocols)
    dataset = build.build_dataset(build.with_test_dir(config, sequence), "test", use_semantics=semantics)
    size = (dataset.height, dataset.width)
    if any(protocol.name == "paper" for protocol in protocols) and size != PAPER_SIZE:
        logger.warning("the paper's numbers are of images of %d x %d, these are of %d x %d", *PAPER_SIZE, *size)

    def keep(frame: Frame, rendered: RenderedImage) -> None:
        write_images(folder, image_name(dataset, frame), rendered)

    scores = score(
        trained.character,
        dataset,
        build.build_renderer(config, trained.character.avatar),
        protocols,
        networks=networks,
        pose=fitted_poses(trained.character, config.train.seed) if options.fit else None,
        keep=keep if options.images else None,
    )
    for protocol in protocols:
        write_protocol(folder, scores[protocol.name], protocol, size=size, fitted=options.fit, split=dataset.split)
