"""A trained avatar from its configuration and run folder, for evaluation and animation."""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from imavatar import build
from imavatar.cli.common import choose_device
from imavatar.config import Config, load_config
from imavatar.errors import AssetError, ImavatarError
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.rendering.avatar import Avatar
from imavatar.training.run_folder import RunFolder
from imavatar.training.state import load_avatar


@dataclass(frozen=True)
class Trained:
    """An avatar with all that is needed to render it; `latent` [1, l] is the first frame's code."""

    config: Config
    folder: RunFolder
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
    shape = build.build_dataset(config, "train", only_json=True).shape_params
    head = build.build_head_assets(config)
    flame = build.build_flame(config, head, shape).to(device)
    avatar = build.build_avatar(config, flame).to(device)
    source = folder.checkpoints if load_path is None else load_path / "checkpoints"
    epoch, latent = load_avatar(source, checkpoint, avatar)
    if config.model.geometry_network.use_freq_band:
        avatar.geometry.open_bands = float(epoch)
    return Trained(config, folder, head, flame, avatar, latent.to(device), epoch)


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
