"""Configuration -> frames, the folder of a run, and what a training needs; configurations for another subject."""

import logging
from dataclasses import replace

import torch

from imavatar.baselines.names import IMAVATAR
from imavatar.builders.model import find_embedding
from imavatar.config import Config, resolve_path
from imavatar.data.dataset import FaceDataset
from imavatar.data.splits import split_dirs
from imavatar.data.subject import load_recording
from imavatar.data.subject_table import SubjectTable
from imavatar.errors import ConfigError, DataError
from imavatar.head.assets import HeadAssets
from imavatar.head.face_regions import face_regions
from imavatar.head.flame import Flame
from imavatar.losses import HeadSupervision
from imavatar.names import NAME_RULE, is_name, shown
from imavatar.paths import command
from imavatar.rendering.avatar import Avatar
from imavatar.training.distributed import SINGLE_PROCESS, Processes
from imavatar.training.frame_parameters import FrameParameters
from imavatar.training.hair_offset import offset_head_by_masks
from imavatar.training.head_agreement import HeadAgreement, some_rows, some_vertices
from imavatar.training.head_samples import HeadSurface, sample_face_distances
from imavatar.training.learning_rates import parameter_groups
from imavatar.training.objective import Objective
from imavatar.training.run_folder import RunFolder
from imavatar.training.step import Run
from imavatar.types import HeadParameters

logger = logging.getLogger(__name__)


def build_run_folder(config: Config) -> RunFolder:
    """Where a run of this configuration lies."""
    return RunFolder.of(
        resolve_path(config.train.exps_folder),
        config.dataset.subject_name,
        config.train.methodname,
        config.dataset.train.sub_dir,
    )


def build_dataset(
    config: Config, split: str, *, only_json: bool = False, use_semantics: bool | None = None
) -> FaceDataset | SubjectTable:
    """The frames of one split, `train` or `test`.

    Args:
        only_json: without their images, as a `SubjectTable`.
        use_semantics: whether frames carry semantics; else those of training do that is supervised by them.
    """
    if use_semantics is None:
        use_semantics = config.loss.gt_w_seg and split == "train"
    part = getattr(config.dataset, split)
    folder, subject = resolve_path(config.dataset.data_folder), config.dataset.subject_name
    options = {
        "subsample": part.subsample,
        "json_name": config.dataset.json_name,
        "n_expression": config.model.deformer_network.num_exp,
    }
    if only_json:
        return SubjectTable(folder, subject, part.sub_dir, part.img_res, **options)
    return FaceDataset(folder, subject, part.sub_dir, part.img_res, use_semantics=use_semantics, **options)


def with_test_dir(config: Config, sub_dir: str) -> Config:
    """The configuration with one test sequence.

    Raises:
        ConfigError: it is no name; those of a configuration are checked when it is read.
    """
    _check_name(sub_dir, "--sequence")
    test = replace(config.dataset.test, sub_dir=(sub_dir,))
    return replace(config, dataset=replace(config.dataset, test=test))


def with_subject(config: Config, subject: str | None) -> Config:
    """The configuration for another subject.

    Raises:
        ConfigError: it is no name.
    """
    if subject is None:
        return config
    _check_name(subject, "--subject")
    return replace(config, dataset=replace(config.dataset, subject_name=subject))


def with_split(config: Config, split: str | None) -> Config:
    """The configuration for the subject's frames as a split divides them.

    These are the recordings that `preprocessing.resplit` has added, or the configuration's own where they are divided
    that way.

    Raises:
        DataError: the subject has no such recordings, or those of the configuration are not there.
    """
    if split is None:
        return config
    data = config.dataset
    folder = resolve_path(data.data_folder) / data.subject_name / data.subject_name
    train, test = split_dirs(split)
    if all((folder / name / data.json_name).is_file() for name in (train, test)):
        parts = {"train": replace(data.train, sub_dir=(train,)), "test": replace(data.test, sub_dir=(test,))}
        return replace(config, dataset=replace(data, **parts))
    own = (*data.train.sub_dir, *data.test.sub_dir)
    if all(load_recording(folder / name, data.json_name).split == split for name in own):
        return config
    raise DataError(
        f"{folder}: has no recordings {train} and {test}, and {', '.join(own)} are not of the split {split}; add it "
        f"with `{command('split')} --subject {data.subject_name} --split {split}`"
    )


def _check_name(text: str, option: str) -> None:
    """What a command line puts in a configuration's place is held to the same rule."""
    if not is_name(text):
        raise ConfigError(f'{option} is "{shown(text)}", expected {NAME_RULE}')


def build_head_surface(flame: Flame, head: HeadAssets) -> HeadSurface:
    """The canonical head as pseudo ground truth."""
    supervision = HeadSupervision(flame.canonical_vertices, flame.vertex_fields())
    mouth = torch.as_tensor(head.mouth_vertices()).to(flame.faces_tensor)
    return HeadSurface(supervision, flame.faces_tensor, mouth)


def build_warm_start_surface(config: Config, flame: Flame, head: HeadSurface, dataset: FaceDataset) -> HeadSurface:
    """The head that the networks first learn: dressed in what the masks of some frames show where asked for."""
    n = min(config.train.warm_start_frames, len(dataset))
    if n == 0:
        return head
    if not config.loss.gt_w_seg:
        logger.warning(
            "without semantics (loss.gt_w_seg) hair can't be told from skin: the warm start is the bare head"
        )
        return head
    rows = torch.linspace(0, len(dataset) - 1, n).round().long().tolist()
    vertices = offset_head_by_masks(flame, (dataset.frame(row) for row in rows))
    return replace(head, supervision=HeadSupervision(vertices, head.supervision.fields))


def build_frame_parameters(config: Config, dataset: SubjectTable) -> FrameParameters:
    """Parameters of the training frames, as tracked."""
    indices = list(range(len(dataset)))
    return FrameParameters(
        dataset.head(indices),
        dataset.camera(indices),
        optimised=config.train,
        latent_size=config.model.geometry_network.condition_in,
        generator=torch.Generator().manual_seed(config.train.seed),
    )


def build_run(
    config: Config,
    avatar: Avatar,
    flame: Flame,
    dataset: FaceDataset,
    device: torch.device,
    processes: Processes = SINGLE_PROCESS,
) -> Run:
    """Networks, per-frame parameters and their optimisers."""
    train = config.train
    frames = build_frame_parameters(config, dataset).to(device)
    groups = parameter_groups(avatar, train.learning_rate, train.learning_rates)
    tables = frames.trainable()
    frame_optimiser = torch.optim.SparseAdam(tables, lr=train.learning_rate_cam) if tables else None
    return Run(
        avatar=avatar,
        flame=flame,
        frames=frames,
        optimiser=torch.optim.Adam(groups),
        frame_optimiser=frame_optimiser,
        rates=[group["lr"] for group in groups],
        frame_rate=train.learning_rate_cam,
        processes=processes,
        anneals_bands=config.model.geometry_network.use_freq_band,
    )


def build_objective(config: Config, head: HeadSurface, processes: Processes = SINGLE_PROCESS) -> Objective:
    """The loss terms of a step."""
    face = None
    if config.loss.head_distance_weight > 0:
        face = sample_face_distances(head, torch.Generator().manual_seed(config.train.seed))
    return Objective(head, face, compat=config.compat, processes=processes)


def build_head_agreement(config: Config, run: Run, head: HeadAssets) -> HeadAgreement | None:
    """What tells how far the deformer is off the head in frames that are trained and in those of the test sequences.

    None where that has no meaning: for the baselines, and for a head model on which nobody has found the landmarks.
    """
    embedding = find_embedding(config, head)
    if config.model.method != IMAVATAR or embedding is None:
        return None
    rows = some_rows(len(run.frames.tracked_pose))

    def trained() -> HeadParameters:
        return run.frames.head(torch.tensor(rows, device=run.frames.tracked_pose.device))

    regions, held_out = some_vertices(face_regions(head, embedding)), _held_out_heads(config)
    if held_out is not None:
        held_out = held_out.to(run.flame.v_template.device)
    return HeadAgreement(run.avatar.for_frame, run.flame, regions, trained, held_out)


def _held_out_heads(config: Config) -> HeadParameters | None:
    """Parameters of some frames of the test sequences, which a training can do without."""
    try:
        table = build_dataset(config, "test", only_json=True)
    except DataError as error:
        logger.info("the deformer is measured in training frames alone: %s", error)
        return None
    return table.head(some_rows(len(table)))
