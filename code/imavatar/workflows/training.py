"""Training of an avatar, from its configuration to a finished run folder."""

import contextlib
import errno
import functools
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from imavatar import build
from imavatar.baselines.methods import METHODS
from imavatar.baselines.names import TEXTURED_HEAD
from imavatar.baselines.textured_head import TexturedHead
from imavatar.config import Config, check_class_names, check_method, dump_config, load_config, parse_config
from imavatar.data.dataset import FaceDataset
from imavatar.data.images import write_png
from imavatar.errors import CheckpointError, ConfigError
from imavatar.files.atomic import remove_temporaries, write_text
from imavatar.files.locks import locked
from imavatar.head.flame import Flame
from imavatar.numerics.device import choose_device
from imavatar.rendering.image_export import comparison_strip
from imavatar.training.checkpoint_files import LATEST, finish_save, save_checkpoint
from imavatar.training.checkpoint_head import head_entries
from imavatar.training.checkpoints import saved_epoch
from imavatar.training.distributed import Processes, join_processes, leave_processes
from imavatar.training.head_agreement import agreement_line
from imavatar.training.head_in_view import check_heads
from imavatar.training.head_samples import HeadSurface
from imavatar.training.logs import ScalarLog
from imavatar.training.loop import Outputs
from imavatar.training.loop import train as train_loop
from imavatar.training.run_folder import RunFolder
from imavatar.training.state import RunCheckpoints, load_run
from imavatar.training.step import Run
from imavatar.training.warm_start import warm_start

logger = logging.getLogger(__name__)

READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class TrainOptions:
    """How a training begins, and how long it lasts.

    Attributes:
        n_epochs: None: the configuration's `train.nepoch`.
        resume: go on from the run's checkpoint, where there is one.
        checkpoint: which one: the number of an epoch, or "latest".
        load_path: a folder whose `checkpoints/` is loaded instead of the run's own; only with `resume`.
        wandb_workspace: log to this workspace of wandb too.
        split: train on the subject's frames as this split divides them; None: on the configuration's recordings.
    """

    n_epochs: int | None = None
    resume: bool = False
    checkpoint: str = LATEST
    load_path: Path | None = None
    wandb_workspace: str | None = None
    split: str | None = None


def train(conf: Path | str, subject: str | None = None, options: TrainOptions = TrainOptions()) -> RunFolder:
    """Train an avatar in a run's folder, which `imavatar.load` takes; returns the folder.

    One process at a time works there. Nothing is done where the run is finished already. In processes that `torchrun`
    has started, all of them call this, and share the rays of every step.

    Args:
        conf: configuration file, or the name of one that is shipped.
        subject: instead of the configuration's `dataset.subject_name`.

    Raises:
        ConfigError: the configuration cannot be used.
        DataError: the recordings are missing, damaged, or do not show the head where they say.
        CheckpointError: the folder holds a run already, or a checkpoint cannot be used.
        BusyError: another process trains this run.
    """
    processes = join_processes()
    config = build.with_split(build.with_subject(load_config(conf), subject), options.split)
    check_class_names(config)
    check_method(config)
    n_epochs = config.train.nepoch if options.n_epochs is None else options.n_epochs
    if config.model.method == TEXTURED_HEAD:
        n_epochs = 1
    if n_epochs < 1:
        raise ConfigError(f"--nepoch is {n_epochs}, expected at least 1")
    training = _Training(config, options, n_epochs, build.build_run_folder(config), processes, dump_config(config))
    with contextlib.ExitStack() as held:
        should_train = training.claim(held)
        # Before the first process writes what the others look for.
        processes.wait()
        if should_train:
            training.run()
            processes.wait()
        leave_processes()
    return training.folder


@dataclass(frozen=True)
class _Training:
    """One run, and what is asked of it; `resolved` is its configuration as text."""

    config: Config
    options: TrainOptions
    n_epochs: int
    folder: RunFolder
    processes: Processes
    resolved: str

    def claim(self, held: contextlib.ExitStack) -> bool:
        """Whether there is anything to train; the run's folder is this process's then, until `held` is closed."""
        folder = self.folder
        if not self.processes.is_main:
            return self._should_train()
        try:
            folder.train.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder.training_lock, "a training"))
        except OSError as error:
            # A finished run may lie in a folder that can only be read.
            if error.errno not in READ_ONLY or self._should_train():
                raise
            return False
        finish_save(folder.checkpoints)
        remove_temporaries(folder.train)
        return self._should_train()

    def run(self) -> None:
        """The training itself, in a folder that is this process's."""
        config, folder = self.config, self.folder
        torch.manual_seed(config.train.seed)
        device = choose_device()
        dataset = build.build_dataset(config, "train")
        head = build.build_head_assets(config)
        flame = build.build_flame(config, head, dataset.shape_params).to(device)
        check_heads(flame, dataset)
        avatar = build.build_avatar(config, flame).to(device)
        if isinstance(avatar, TexturedHead):
            if self.processes.is_main:
                self._paint(avatar, flame, dataset)
            return
        run = build.build_run(config, avatar, flame, dataset, device, self.processes)
        logger.info("training on %s: %d frames, run folder %s", device, len(dataset), folder.root)
        surface = build.build_head_surface(flame, head)
        start = self._start_epoch(run, lambda: build.build_warm_start_surface(config, flame, surface, dataset))
        objective = build.build_objective(config, surface, self.processes)
        settings = replace(config.train, nepoch=self.n_epochs)
        # The first process alone writes; the others wait for it at their next common step.
        if not self.processes.is_main:
            train_loop(run, dataset, objective, config.loss, settings, Outputs(), start)
            return
        write_text(folder.config, self.resolved)
        workspace, name = self.options.wandb_workspace, config.train.methodname
        log = ScalarLog(folder.train, start=start, wandb_workspace=workspace, run_name=name)
        checkpoints = RunCheckpoints(folder.checkpoints, run, every=config.train.save_every)
        agreement = build.build_head_agreement(config, run, head)
        measure = dict
        if agreement is not None:
            measure = agreement.scalars
            logger.info("%s", agreement.motion_line())
            logger.info("at the start: %s", agreement_line(measure()))
        outputs = Outputs(checkpoints, log.log, functools.partial(self._preview, run, dataset), measure)
        train_loop(run, dataset, objective, config.loss, settings, outputs, start)
        log.close()
        self._finish()

    def _paint(self, head: TexturedHead, flame: Flame, dataset: FaceDataset) -> None:
        """The textured head's training: one pass over the frames."""
        logger.info("painting the head: %d frames, run folder %s", len(dataset), self.folder.root)
        write_text(self.folder.config, self.resolved)
        head.paint(dataset.frame(index) for index in range(len(dataset)))
        state = {"epoch": 1, "model_state_dict": {**head.state_dict(), **head_entries(flame)}}
        save_checkpoint(self.folder.checkpoints, [LATEST, "1"], {"model": state})
        self._finish()

    def _finish(self) -> None:
        write_text(self.folder.finished, json.dumps({"epochs": self.n_epochs, "config": self.resolved}))

    def _is_finished(self) -> bool:
        """Whether the same training is complete; a note that is damaged says nothing."""
        path = self.folder.finished
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
            epochs, config = note["epochs"], parse_config(note["config"], str(path))
        except FileNotFoundError:
            return False
        except (ValueError, TypeError, LookupError, RecursionError, ConfigError) as error:
            logger.warning("%s is damaged (%s): it is not known whether the run is complete", path, error)
            return False
        return epochs == self.n_epochs and config == self.config

    def _should_train(self) -> bool:
        """Whether there is anything to train; a run is never overwritten by accident."""
        options, root = self.options, self.folder.root
        from_own = options.resume and options.load_path is None
        trained = saved_epoch(self.folder.checkpoints, options.checkpoint if from_own else LATEST)
        if trained is None:
            return True
        if options.resume:
            if trained >= self.n_epochs:
                logger.info("nothing to train: %s has %d epochs already", root, trained)
            return trained < self.n_epochs
        if self._is_finished():
            logger.info("nothing to train: %s is finished (%d epochs)", root, self.n_epochs)
            return False
        raise CheckpointError(
            f"{root} holds a run of {trained} epochs: resume it with --is_continue, choose "
            "another train.methodname, or delete the folder"
        )

    def _start_epoch(self, run: Run, first_surface: Callable[[], HeadSurface]) -> int:
        """Load what is to be resumed, else warm-start; returns the first epoch to train."""
        options, config = self.options, self.config
        foreign = options.load_path is not None
        source = options.load_path / "checkpoints" if foreign else self.folder.checkpoints
        if options.resume and (foreign or saved_epoch(source) is not None):
            epoch = load_run(source, options.checkpoint, run, foreign=foreign)
            logger.info("resuming at epoch %d from %s", epoch, source)
            return epoch
        if config.train.warm_start_steps > 0 and run.processes.is_main:
            frame = torch.arange(len(run.frames.tracked_pose), device=run.frames.tracked_pose.device)
            with torch.no_grad():
                heads = run.flame(run.frames.head(frame), run.frames.latent(frame))
            # The others get the first one's weights.
            warm_start(
                run.avatar,
                first_surface(),
                heads,
                fields=config.train.warm_start_fields and METHODS[config.model.method].has_fields,
                n_steps=config.train.warm_start_steps,
                bound=config.model.ray_tracer.object_bounding_sphere,
                generator=torch.Generator().manual_seed(config.train.seed),
            )
        return 0

    def _preview(self, run: Run, dataset: FaceDataset, epoch: int) -> None:
        """Write a rendering of the first frame every `train.preview_every` epochs."""
        every = self.config.train.preview_every
        if every == 0 or epoch % every != 0:
            return
        renderer = build.build_renderer(self.config, run.avatar)
        device, frame = run.flame.v_template.device, dataset.frame(0)
        posed = run.flame(frame.head.to(device), run.frames.latent(torch.zeros(1, dtype=torch.long, device=device)))
        image = renderer.render(frame.camera.to(device), posed, dataset.height, dataset.width)
        path = self.folder.train / "previews" / f"epoch_{epoch}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, comparison_strip(frame.image, image))
