"""`scripts/exp_runner.py`: train an avatar, or evaluate one. Arguments are named as the authors'."""

import argparse
import contextlib
import errno
import json
import logging
from collections.abc import Callable
from pathlib import Path

from imavatar.baselines.names import TEXTURED_HEAD
from imavatar.cli.common import choose_device, command
from imavatar.errors import CheckpointError, ConfigError
from imavatar.files.atomic import remove_temporaries, write_text
from imavatar.files.locks import locked

logger = logging.getLogger(__name__)

READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@command
def exp_runner_main(argv: list[str] | None = None) -> None:
    """Train, or with --is_eval evaluate."""
    args = _parser().parse_args(argv)
    if args.is_eval:
        _evaluate(args)
    else:
        train_run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train or evaluate an avatar.")
    parser.add_argument("--conf", type=Path, required=True, help="configuration file (HOCON)")
    parser.add_argument("--is_eval", action="store_true", help="evaluate on the test sequence")
    parser.add_argument("--nepoch", type=int, help="epochs (default: train.nepoch)")
    parser.add_argument("--is_continue", action="store_true", help="resume the run from its --checkpoint")
    parser.add_argument("--checkpoint", default="latest", help="epoch to load (default: latest)")
    parser.add_argument("--load_path", type=Path, help="folder whose checkpoints/ is loaded instead")
    parser.add_argument("--only_json", action="store_true", help="evaluate without test images")
    parser.add_argument(
        "--optimised",
        action="store_true",
        help="evaluate the training frames with the expressions, poses and cameras that training optimised",
    )
    parser.add_argument("--wandb_workspace", help="log to this wandb workspace too")
    parser.add_argument("--subject", help="instead of dataset.subject_name")
    return parser


def _evaluate(args: argparse.Namespace) -> None:
    """Evaluate a run, and print its tables and where the files are."""
    from imavatar.workflows.evaluating import evaluate_run
    from imavatar.workflows.trained import load_trained

    trained = load_trained(args.conf, args.subject, args.checkpoint, args.load_path)
    found = evaluate_run(trained, only_json=args.only_json, optimised=args.optimised)
    for name, evaluation in found.sequences.items():
        print(evaluation.table())
        if name in found.agreements:
            print(found.agreements[name])
        print(f"results: {evaluation.folder}")
    print(f"report: {found.report}")


def train_run(args: argparse.Namespace) -> None:
    """Train from scratch, or from a checkpoint with --is_continue; one process at a time in a run's folder."""
    from imavatar import build
    from imavatar.config import dump_config, load_config
    from imavatar.training.processes import join_processes, leave_processes

    processes = join_processes()
    config = build.with_subject(load_config(args.conf), args.subject)
    build.check_class_names(config)
    build.check_method(config)
    folder = build.build_run_folder(config)
    n_epochs = config.train.nepoch if args.nepoch is None else args.nepoch
    if config.model.method == TEXTURED_HEAD:
        n_epochs = 1
    if n_epochs < 1:
        raise ConfigError(f"--nepoch is {n_epochs}, expected at least 1")
    resolved = dump_config(config)
    with contextlib.ExitStack() as held:
        should_train = _claim(held, folder, processes, lambda: _should_train(folder, n_epochs, resolved, args))
        # Before the first process writes what the others look for.
        processes.wait()
        if should_train:
            _train(args, config, folder, processes, n_epochs, resolved)
            processes.wait()
        leave_processes()


def _train(args, config, folder, processes, n_epochs: int, resolved: str) -> None:
    """The training itself, in a folder that is this process's."""
    import torch

    from imavatar import build
    from imavatar.training.logs import ScalarLog
    from imavatar.training.loop import train
    from imavatar.training.run_checkpoints import NoCheckpoints, RunCheckpoints
    from imavatar.training.visibility import check_heads

    torch.manual_seed(config.train.seed)
    device = choose_device()
    dataset = build.build_dataset(config, "train")
    head = build.build_head_assets(config)
    flame = build.build_flame(config, head, dataset.shape_params).to(device)
    check_heads(flame, dataset)
    avatar = build.build_avatar(config, flame).to(device)
    if config.model.method == TEXTURED_HEAD:
        if processes.first:
            _paint(avatar, flame, dataset, folder, resolved)
        return
    run = build.build_run(config, avatar, flame, dataset, device, processes)
    logger.info("training on %s: %d frames, run folder %s", device, len(dataset), folder.root)
    surface = build.build_head_surface(flame, head)
    start = _start_epoch(
        args, config, run, folder, lambda: build.build_warm_start_surface(config, flame, surface, dataset)
    )
    # The first process alone writes; the others wait for it at their next common step.
    log, checkpoints = None, NoCheckpoints()
    if processes.first:
        write_text(folder.config, resolved)
        log = ScalarLog(
            folder.train, start=start, wandb_workspace=args.wandb_workspace, run_name=config.train.methodname
        )
        checkpoints = RunCheckpoints(folder.checkpoints, run, every=config.train.save_every)
    train(
        run,
        dataset,
        build.build_objective(config, surface),
        build.build_schedule(config),
        build.build_loop_settings(config, n_epochs),
        start_epoch=start,
        log=log.log if log else _nothing,
        checkpoints=checkpoints,
        preview=_previewer(config, folder, run, dataset) if log else _nothing,
    )
    if log:
        log.close()
        _finish(folder, n_epochs, resolved)


def _claim(held: contextlib.ExitStack, folder, processes, should_train: Callable[[], bool]) -> bool:
    """Whether there is anything to train; the run's folder is this process's then, until `held` is closed.

    Raises:
        BusyError: another process trains this run.
    """
    from imavatar.training.checkpoint_files import finish_save

    if not processes.first:
        return should_train()
    try:
        folder.train.mkdir(parents=True, exist_ok=True)
        held.enter_context(locked(folder.training_lock, "a training"))
    except OSError as error:
        # A finished run may lie in a folder that can only be read.
        if error.errno not in READ_ONLY or should_train():
            raise
        return False
    finish_save(folder.checkpoints)
    remove_temporaries(folder.train)
    return should_train()


def _paint(head, flame, dataset, folder, resolved: str) -> None:
    """The textured head's training: one pass over the frames."""
    from imavatar.training.checkpoint_head import head_entries
    from imavatar.training.checkpoints import LATEST, save_checkpoint

    logger.info("painting the head: %d frames, run folder %s", len(dataset), folder.root)
    write_text(folder.config, resolved)
    head.paint(dataset.frame(index) for index in range(len(dataset)))
    state = {"epoch": 1, "model_state_dict": {**head.state_dict(), **head_entries(flame)}}
    save_checkpoint(folder.checkpoints, [LATEST, "1"], {"model": state})
    _finish(folder, 1, resolved)


def _nothing(*_) -> None:
    """What a process does that is not the first where the first one writes."""


def _finish(folder, n_epochs: int, resolved: str) -> None:
    """Note that a training is complete."""
    write_text(folder.finished, json.dumps({"epochs": n_epochs, "config": resolved}))


def _is_finished(folder, n_epochs: int, resolved: str) -> bool:
    """Whether the same training is complete; a note that is damaged says nothing."""
    try:
        return json.loads(folder.finished.read_text(encoding="utf-8")) == {"epochs": n_epochs, "config": resolved}
    except FileNotFoundError:
        return False
    except (ValueError, RecursionError) as error:
        logger.warning("%s is damaged (%s): it is not known whether the run is complete", folder.finished, error)
        return False


def _should_train(folder, n_epochs: int, resolved: str, args: argparse.Namespace) -> bool:
    """Whether there is anything to train; a run is never overwritten by accident."""
    from imavatar.training.checkpoints import LATEST, saved_epoch

    from_own = args.is_continue and args.load_path is None
    trained = saved_epoch(folder.checkpoints, args.checkpoint if from_own else LATEST)
    if trained is None or args.is_continue:
        if trained is not None and trained >= n_epochs:
            logger.info("nothing to train: %s has %d epochs already", folder.root, trained)
            return False
        return True
    if _is_finished(folder, n_epochs, resolved):
        logger.info("nothing to train: %s is finished (%d epochs)", folder.root, n_epochs)
        return False
    raise CheckpointError(
        f"{folder.root} holds a run of {trained} epochs: resume it with --is_continue, choose "
        "another train.methodname, or delete the folder"
    )


def _start_epoch(args, config, run, folder, first_surface) -> int:
    """Load what --is_continue asks for, else warm-start; returns the first epoch to train."""
    import torch

    from imavatar.baselines.methods import METHODS
    from imavatar.training.checkpoints import saved_epoch
    from imavatar.training.state import load_run
    from imavatar.training.warm_start import warm_start

    source = folder.checkpoints if args.load_path is None else args.load_path / "checkpoints"
    if args.is_continue and (args.load_path is not None or saved_epoch(source) is not None):
        epoch = load_run(source, args.checkpoint, run, foreign=args.load_path is not None)
        logger.info("resuming at epoch %d from %s", epoch, source)
        return epoch
    if config.train.warm_start_steps > 0 and run.processes.first:
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


def _training_heads(run):
    """All training frames, posed as they are at the start."""
    import torch

    with torch.no_grad():
        frame = torch.arange(len(run.frames.tracked_pose), device=run.frames.tracked_pose.device)
        return run.flame(run.frames.head(frame), run.frames.latent(frame))


def _previewer(config, folder, run, dataset):
    """Writes a rendering of the first frame every `train.preview_every` epochs."""
    import torch

    from imavatar import build
    from imavatar.data.images import write_png
    from imavatar.rendering.image_export import comparison_strip

    every = config.train.preview_every

    def preview(epoch: int) -> None:
        if every == 0 or epoch % every != 0:
            return
        renderer = build.build_renderer(config, run.avatar)
        device = run.flame.v_template.device
        frame = dataset.frame(0)
        latent = run.frames.latent(torch.zeros(1, dtype=torch.long, device=device))
        posed = run.flame(frame.head.to(device), latent)
        image = renderer.render(frame.camera.to(device), posed, dataset.height, dataset.width)
        path = folder.train / "previews" / f"epoch_{epoch}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, comparison_strip(frame.image, image))

    return preview
