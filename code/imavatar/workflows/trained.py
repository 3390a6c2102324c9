"""A trained avatar: its networks, its head model and the run that it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from imavatar import build
from imavatar.config import Config, check_class_names, load_config
from imavatar.data.subject import N_SHAPE
from imavatar.data.subject_table import SubjectTable
from imavatar.errors import ConfigError
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.motion.coefficients import coefficient_directions
from imavatar.motion.recorded import neutral_of
from imavatar.names import shown
from imavatar.numerics.device import choose_device
from imavatar.rendering.character import Character
from imavatar.rendering.image import RenderedImage, Renderer
from imavatar.training.checkpoint_head import check_topology
from imavatar.training.checkpoints import load_model
from imavatar.training.run_folder import RunFolder
from imavatar.training.state import ModelCheckpoint, read_trained
from imavatar.types import HeadParameters, PosedHead, View

CONFIG_FILE = "config.conf"


@dataclass(frozen=True)
class TrainedAvatar:
    """An avatar with everything that is needed to pose, render and export it.

    Attributes:
        config: the configuration that it was trained with.
        folder: its run folder.
        checkpoints: the folder that the weights were read from; `checkpoint` is the name there, as "latest".
        head: the head model's file, with the names of expressions.
        character: the networks, the head model with the person's shape, and the latent code of new frames.
        epoch: how many epochs it was trained.
    """

    config: Config
    folder: RunFolder
    checkpoints: Path
    checkpoint: str
    head: HeadAssets
    character: Character
    epoch: int
    _renderers: dict[int, Renderer] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n_expression(self) -> int:
        """How many expression coefficients move it."""
        return self.config.model.deformer_network.num_exp

    def dataset(self, split: str = "test", *, only_json: bool = True) -> SubjectTable:
        """The recorded frames of a split, `train` or `test`.

        Raises:
            DataError: they are no longer where the configuration says.
        """
        return build.build_dataset(self.config, split, only_json=only_json)

    def neutral(self) -> HeadParameters:
        """The person at rest, as the training frames show it (one row).

        Zero coefficients are the head model's rest, which need not be the person's.
        """
        return neutral_of(self.dataset("train").head())

    def head_parameters(self, amounts: Mapping[str, float] | None = None, **more: float) -> HeadParameters:
        """The person at rest, moved by named expressions and joints (one row).

        Args:
            amounts: by name, as in a table of coefficients (`motion_from_table`): names of the head model's expressions
                and ARKit's units (1 is full strength), `expression_00` ... (standard deviations), `jaw_x`, `neck_y` ...
                (axis-angle, radians). `more` are further ones.

        Raises:
            ConfigError: a name is not known.
        """
        amounts = {**(amounts or {}), **more}
        directions = coefficient_directions(self.n_expression, self.head.named_expressions | self.head.face_units)
        head = self.neutral()
        expression, pose = head.expression.clone(), head.pose.clone()
        for name, amount in amounts.items():
            direction = directions(name)
            if direction is None:
                raise ConfigError(
                    f"{shown(name)}: the head model {self.head.name} has no such expression or joint; it has "
                    f"expression_00 to expression_{self.n_expression - 1:02d}, jaw_x, neck_y ..."
                    + "".join(f", {known}" for known in self.head.named_expressions)
                )
            expression += amount * direction.expression
            pose += amount * direction.pose
        return HeadParameters(expression, pose)

    def pose(self, head: HeadParameters) -> PosedHead:
        """Frames as the networks need them, one a row; differentiable in expression and pose."""
        return self.character.pose(head)

    def view(self, *, height: int | None = None, width: int | None = None) -> View:
        """The camera of the first test frame, with its image size (pixels) or another one.

        The intrinsics are scaled with the size, so that the picture shows the same.
        """
        dataset = self.dataset("test")
        view = View(dataset.camera([0]), dataset.height, dataset.width)
        return view.resized(view.height if height is None else height, view.width if width is None else width)

    def renderer(self, supersample: int | None = None) -> Renderer:
        """What renders exact images; it keeps the mesh that its search starts from; `supersample` as in `render`."""
        n = self.config.plot.supersample if supersample is None else supersample
        if n not in self._renderers:
            self._renderers[n] = build.build_renderer(self.config, self.character.avatar, supersample=n)
        return self._renderers[n]

    @torch.no_grad()
    def render(
        self, head: HeadParameters, view: View | None = None, *, supersample: int | None = None
    ) -> RenderedImage:
        """A picture of one head.

        Args:
            head: one row.
            view: camera and size in pixels; without it, the first test frame's.
            supersample: rays along each side of a pixel, instead of the configuration's `plot.supersample`.

        Returns:
            Colours in [-1, 1] over white, unit normals in deformed space, coverage, and depth (model units).
        """
        view = self.view() if view is None else view
        camera = view.camera.to(self.character.device)
        return self.renderer(supersample).render(camera, self.pose(head), view.height, view.width)


def load(run: Path | str, checkpoint: str = "latest") -> TrainedAvatar:
    """Load a trained avatar from its run folder.

    Args:
        run: the folder `<experiments>/<subject>/<method>/<train sequences>`, which holds `config.conf` and `train/`.
        checkpoint: the name of the epoch, or "latest".

    Raises:
        ConfigError: the folder holds no configuration, or one that cannot be used.
        CheckpointError: there is no such checkpoint, or it is damaged.
        AssetError: the head model is missing.
    """
    run = Path(run)
    conf = run / CONFIG_FILE
    if not conf.is_file():
        raise ConfigError(f"{conf} does not exist: a run's folder is EXPS_FOLDER/SUBJECT/METHOD/TRAIN")
    # It may have been moved since.
    return replace(load_trained(conf, checkpoint=checkpoint, load_path=run / "train"), folder=RunFolder(run))


def load_trained(
    conf: Path,
    subject: str | None = None,
    checkpoint: str = "latest",
    load_path: Path | None = None,
    *,
    split: str | None = None,
) -> TrainedAvatar:
    """Load a checkpoint of the run that a configuration names.

    Args:
        subject: instead of the configuration's `dataset.subject_name`.
        load_path: the folder whose `checkpoints/` is read, instead of the run's own.
        split: by which the run's recordings were divided; None: they are the configuration's.

    Raises:
        ConfigError, CheckpointError, AssetError: as `load`.
        DataError: the subject has no recordings of the split.
    """
    config = build.with_split(build.with_subject(load_config(conf), subject), split)
    check_class_names(config)
    folder = build.build_run_folder(config)
    device = choose_device()
    source = folder.checkpoints if load_path is None else load_path / "checkpoints"
    model, latent = read_trained(source, checkpoint, config.model.geometry_network.condition_in)
    head = build.build_head_assets(config)
    flame = _head_of(model, config, head).to(device)
    avatar = build.build_avatar(config, flame).to(device)
    load_model(avatar, model.fields, model.path)
    if config.model.geometry_network.use_freq_band:
        avatar.geometry.active_bands = float(model.epoch)
    character = Character(avatar, flame, latent.to(device))
    return TrainedAvatar(config, folder, source, checkpoint, head, character, model.epoch)


def _head_of(model: ModelCheckpoint, config: Config, head: HeadAssets) -> Flame:
    """The head of the shape that the avatar was trained with; of a checkpoint without it, of its training data's."""
    template = model.head.get("v_template")
    if template is None:
        return build.build_flame(config, head, build.build_dataset(config, "train", only_json=True).shape_params)
    flame = build.build_flame(config, head, torch.zeros(N_SHAPE))
    check_topology(model.head, flame, model.path)
    flame.v_template.copy_(template)
    return flame
