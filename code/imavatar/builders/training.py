"""Configuration -> what a training needs."""

import logging
from dataclasses import replace

import torch

from imavatar.config import Config
from imavatar.data.dataset import FaceDataset
from imavatar.data.subject_table import SubjectTable
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.losses import HeadSupervision
from imavatar.rendering.avatar import Avatar
from imavatar.training.distributed import SINGLE_PROCESS, Processes
from imavatar.training.frame_parameters import FrameParameters
from imavatar.training.hair_offset import offset_head_by_masks
from imavatar.training.head_samples import HeadSurface, sample_face_distances
from imavatar.training.learning_rates import parameter_groups
from imavatar.training.objective import Objective
from imavatar.training.step import Run

logger = logging.getLogger(__name__)


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
    groups = build_parameter_groups(config, avatar)
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


def build_parameter_groups(config: Config, avatar: Avatar) -> list[dict]:
    """Parameters with their learning rates."""
    return parameter_groups(avatar, config.train.learning_rate, config.train.learning_rates)


def build_objective(config: Config, head: HeadSurface, processes: Processes = SINGLE_PROCESS) -> Objective:
    """The loss terms of a step."""
    face = None
    if config.loss.head_distance_weight > 0:
        face = sample_face_distances(head, torch.Generator().manual_seed(config.train.seed))
    return Objective(head, face, compat=config.compat, processes=processes)
