"""A trained avatar from its configuration and run folder, for evaluation and animation."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar import build
from imavatar.anatomy import N_SHAPE
from imavatar.cli.common import choose_device
from imavatar.config import Config, load_config
from imavatar.errors import AssetError, ImavatarError
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.rendering.avatar import Avatar
from imavatar.training.checkpoint_head import check_topology
from imavatar.training.checkpoints import load_model
from imavatar.training.run_folder import RunFolder
from imavatar.training.state import ModelCheckpoint, read_trained


@dataclass(frozen=True)
class Trained:
    """An avatar with all that is needed to render it; `latent` [1, l] is the first frame's code.

    `checkpoints` is the folder that it was read from, `checkpoint` its name there.
    """

    config: Config
    folder: RunFolder
    checkpoints: Path
    checkpoint: str
    head: HeadAssets
    flame: Flame
    avatar: Avatar
    latent: Float[Tensor, "1 l"]
    epoch: int


def load_trained(conf: Path, subject: str | None, checkpoint: str, load_path: Path | None = None) -> Trained:
    """Load a checkpoint of the run that a configuration names."""
    config = build.with_subject(load_config(conf), subject)
    build.check_class_names(config)
    folder = build.build_run_folder(config)
    device = choose_device()
    source = folder.checkpoints if load_path is None else load_path / "checkpoints"
    model, latent = read_trained(source, checkpoint, config.model.geometry_network.condition_in)
    head = build.build_head_assets(config)
    flame = _head_of(model, config, head).to(device)
    avatar = build.build_avatar(config, flame).to(device)
    load_model(avatar, model.fields, model.path)
    if config.model.geometry_network.use_freq_band:
        avatar.geometry.open_bands = float(model.epoch)
    return Trained(config, folder, source, checkpoint, head, flame, avatar, latent.to(device), model.epoch)


def _head_of(model: ModelCheckpoint, config: Config, head: HeadAssets) -> Flame:
    """The head of the shape that the avatar was trained with; of a checkpoint without it, of its training data's."""
    template = model.head.get("v_template")
    if template is None:
        return build.build_flame(config, head, build.build_dataset(config, "train", only_json=True).shape_params)
    flame = build.build_flame(config, head, torch.zeros(N_SHAPE))
    check_topology(model.head, flame, model.path)
    flame.v_template.copy_(template)
    return flame


def keypoint_detector():
    """Image -> the 68 iBUG points in pixels or None; None where the models are not installed."""
    import logging

    from imavatar.head.mesh_points import IBUG_FROM_MESH

    try:
        from imavatar.preprocessing.landmarks import FaceLandmarker

        landmarker = FaceLandmarker()
    except (ImportError, AssetError, ImavatarError) as error:
        logging.getLogger(__name__).warning("keypoint error skipped: %s", error)
        return None

    def detect(rgb):
        landmarker.reset()
        found = landmarker.detect(rgb)
        return None if found is None else found.points[list(IBUG_FROM_MESH)]

    return detect
