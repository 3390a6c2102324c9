"""Training of an avatar, from its configuration to a finished run folder."""

import contextlib
import errno
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from imavatar import build
from imavatar.baselines.methods import METHODS
from imavatar.baselines.names import TEXTURED_HEAD
from imavatar.baselines.textured_head import TexturedHead
from imavatar.config import Config, dump_config, load_config, with_current_keys
from imavatar.data.dataset import FaceDataset
from imavatar.data.images import write_png
from imavatar.errors import CheckpointError, ConfigError
from imavatar.files.atomic import remove_temporaries, write_text
from imavatar.files.locks import locked
from imavatar.head.flame import Flame
from imavatar.numerics.device import choose_device
from imavatar.rendering.image_export import comparison_strip
from imavatar.training.checkpoint_files import finish_save
from imavatar.training.checkpoint_head import head_entries
from imavatar.training.checkpoints import LATEST, save_checkpoint, saved_epoch
from imavatar.training.distributed import Processes, join_processes, leave_processes
from imavatar.training.head_in_view import check_heads
from imavatar.training.head_samples import HeadSurface
from imavatar.training.logs import ScalarLog
from imavatar.training.loop import train as train_loop
from imavatar.training.run_checkpoints import NoCheckpoints, RunCheckpoints
from imavatar.training.run_folder import RunFolder
from imavatar.training.state import load_run
from imavatar.training.step import Run
from imavatar.training.warm_start import warm_start
from imavatar.types import PosedHead

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
    """

    n_epochs: int | None = None
    resume: bool = False
    checkpoint: str = LATEST
    load_path: Path | None = None
    wandb_workspace: str | None = None

    @property
    def source(self) -> Path | None:
        """The folder of other checkpoints than the run's own."""
        return None if self.load_path is None else self.load_path / "checkpoints"


def train(conf: Path | str, subject: str | None = None, options: TrainOptions = TrainOptions()) -> RunFolder:
    """Train an avatar; one process at a time in a run's folder. Nothing is done where the run is finished already.

    In processes that `torchrun` has started, all of them call this, and share the rays of every step.

    Args:
        conf: configuration file, or the name of one that is shipped.
        subject: instead of the configuration's `dataset.subject_name`.

    Returns:
        The folder of the run, which `imavatar.load` takes.

    Raises:
        ConfigError: the configuration cannot be used.
        DataError: the recordings are missing, damaged, or do not show the head where they say.
        CheckpointError: the folder holds a run already, or a checkpoint cannot be used.
        BusyError: another process trains this run.
    """
    processes = join_processes()
    config = build.with_subject(load_config(conf), subject)
    build.check_class_names(config)
    build.check_method(config)
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
        """Whether there is anything to train; the run's folder is this process's then, until `held` is closed.

        Raises:
            BusyError: another process trains this run.
        """
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
        # The first process alone writes; the others wait for it at their next common step.
        log, checkpoints = None, NoCheckpoints()
        if self.processes.is_main:
            write_text(folder.config, self.resolved)
            workspace, name = self.options.wandb_workspace, config.train.methodname
            log = ScalarLog(folder.train, start=start, wandb_workspace=workspace, run_name=name)
            checkpoints = RunCheckpoints(folder.checkpoints, run, every=config.train.save_every)
        train_loop(
            run,
            dataset,
            build.build_objective(config, surface),
            build.build_schedule(config),
            build.build_loop_settings(config, self.n_epochs),
            start_epoch=start,
            log=log.log if log else _nothing,
            checkpoints=checkpoints,
            preview=self._previewer(run, dataset) if log else _nothing,
        )
        if log:
            log.close()
            self._finish(self.n_epochs)

    def _paint(self, head: TexturedHead, flame: Flame, dataset: FaceDataset) -> None:
        """The textured head's training: one pass over the frames."""
        logger.info("painting the head: %d frames, run folder %s", len(dataset), self.folder.root)
        write_text(self.folder.config, self.resolved)
        head.paint(dataset.frame(index) for index in range(len(dataset)))
        state = {"epoch": 1, "model_state_dict": {**head.state_dict(), **head_entries(flame)}}
        save_checkpoint(self.folder.checkpoints, [LATEST, "1"], {"model": state})
        self._finish(1)

    def _finish(self, n_epochs: int) -> None:
        """Note that the training is complete."""
        write_text(self.folder.finished, json.dumps({"epochs": n_epochs, "config": self.resolved}))

    def _is_finished(self) -> bool:
        """Whether the same training is complete; a note that is damaged says nothing."""
        path = self.folder.finished
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
            found = {**note, "config": with_current_keys(note["config"])}
        except FileNotFoundError:
            return False
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            logger.warning("%s is damaged (%s): it is not known whether the run is complete", path, error)
            return False
        return found == {"epochs": self.n_epochs, "config": self.resolved}

    def _should_train(self) -> bool:
        """Whether there is anything to train; a run is never overwritten by accident."""
        options, root = self.options, self.folder.root
        from_own = options.resume and options.load_path is None
        trained = saved_epoch(self.folder.checkpoints, options.checkpoint if from_own else LATEST)
        if trained is None or options.resume:
            if trained is not None and trained >= self.n_epochs:
                logger.info("nothing to train: %s has %d epochs already", root, trained)
                return False
            return True
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
        source = options.source or self.folder.checkpoints
        if options.resume and (options.load_path is not None or saved_epoch(source) is not None):
            epoch = load_run(source, options.checkpoint, run, foreign=options.load_path is not None)
            logger.info("resuming at epoch %d from %s", epoch, source)
            return epoch
        if config.train.warm_start_steps > 0 and run.processes.is_main:
            # The others get the first one's weights.
            warm_start(
                run.avatar,
                first_surface(),
                _training_heads(run),
                fields=config.train.warm_start_fields and METHODS[config.model.method].has_fields,
                n_steps=config.train.warm_start_steps,
                bound=config.model.ray_tracer.object_bounding_sphere,
                generator=torch.Generator().manual_seed(config.train.seed),
            )
        return 0

    def _previewer(self, run: Run, dataset: FaceDataset) -> Callable[[int], None]:
        """Writes a rendering of the first frame every `train.preview_every` epochs."""
        every = self.config.train.preview_every

        def preview(epoch: int) -> None:
            if every == 0 or epoch % every != 0:
                return
            renderer = build.build_renderer(self.config, run.avatar)
            device = run.flame.v_template.device
            frame = dataset.frame(0)
            latent = run.frames.latent(torch.zeros(1, dtype=torch.long, device=device))
            posed = run.flame(frame.head.to(device), latent)
            image = renderer.render(frame.camera.to(device), posed, dataset.height, dataset.width)
            path = self.folder.train / "previews" / f"epoch_{epoch}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, comparison_strip(frame.image, image))

        return preview


def _nothing(*_) -> None:
    """What a process does that is not the first where the first one writes."""


@torch.no_grad()
def _training_heads(run: Run) -> PosedHead:
    """All training frames, posed as they are at the start."""
    frame = torch.arange(len(run.frames.tracked_pose), device=run.frames.tracked_pose.device)
    return run.flame(run.frames.head(frame), run.frames.latent(frame))
