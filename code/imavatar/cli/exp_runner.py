"""`scripts/exp_runner.py`: train an avatar, or evaluate one. Arguments are named as the authors'."""

import argparse
import json
import logging
from pathlib import Path

from imavatar.cli.common import ProgressLine, choose_device, run_command
from imavatar.errors import CheckpointError, ConfigError

logger = logging.getLogger(__name__)

CHECKED_PER_SIDE = 16
"""Rays along each side of the grid on which the renderer's search is checked."""


def exp_runner_main(argv: list[str] | None = None) -> None:
    """Train, or with --is_eval evaluate."""
    args = _parser().parse_args(argv)
    run_command(lambda: evaluate_run(args) if args.is_eval else train_run(args))


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


def train_run(args: argparse.Namespace) -> None:
    """Train from scratch, or from a checkpoint with --is_continue."""
    import torch

    from imavatar import build
    from imavatar.config import dump_config, load_config
    from imavatar.training.logs import ScalarLog
    from imavatar.training.loop import train
    from imavatar.training.processes import join_processes, leave_processes
    from imavatar.training.visibility import check_heads

    processes = join_processes()
    config = build.with_subject(load_config(args.conf), args.subject)
    build.check_class_names(config)
    folder = build.build_run_folder(config)
    n_epochs = config.train.nepoch if args.nepoch is None else args.nepoch
    if n_epochs < 1:
        raise ConfigError(f"--nepoch is {n_epochs}, expected at least 1")
    resolved = dump_config(config)
    should_train = _should_train(folder, n_epochs, resolved, args)
    # Before the first process writes what the others look for.
    processes.wait()
    if not should_train:
        leave_processes()
        return
    torch.manual_seed(config.train.seed)
    device = choose_device()
    dataset = build.build_dataset(config, "train")
    head = build.build_head_assets(config)
    flame = build.build_flame(config, head, dataset.shape_params).to(device)
    check_heads(flame, dataset)
    avatar = build.build_avatar(config, flame).to(device)
    run = build.build_run(config, avatar, flame, dataset, device, processes)
    logger.info("training on %s: %d frames, run folder %s", device, len(dataset), folder.root)
    surface = build.build_head_surface(flame, head)
    start = _start_epoch(
        args, config, run, folder, lambda: build.build_warm_start_surface(config, flame, surface, dataset)
    )
    # The first process alone writes; the others wait for it at their next common step.
    log = None
    if processes.first:
        folder.train.mkdir(parents=True, exist_ok=True)
        folder.config.write_text(resolved)
        log = ScalarLog(folder.train, wandb_workspace=args.wandb_workspace, run_name=config.train.methodname)
    train(
        run,
        dataset,
        build.build_objective(config, surface),
        build.build_schedule(config),
        build.build_loop_settings(config, n_epochs),
        start_epoch=start,
        log=log.log if log else _nothing,
        save=_saver(folder, run, config.train.save_every) if log else _nothing,
        preview=_previewer(config, folder, run, dataset) if log else _nothing,
    )
    if log:
        log.close()
        folder.finished.write_text(json.dumps({"epochs": n_epochs, "config": resolved}))
    processes.wait()
    leave_processes()


def _nothing(*_) -> None:
    """What a process does that is not the first where the first one writes."""


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
    if folder.finished.exists():
        done = json.loads(folder.finished.read_text())
        if done == {"epochs": n_epochs, "config": resolved}:
            logger.info("nothing to train: %s is finished (%d epochs)", folder.root, n_epochs)
            return False
    raise CheckpointError(
        f"{folder.root} holds a run of {trained} epochs: resume it with --is_continue, choose "
        "another train.methodname, or delete the folder"
    )


def _start_epoch(args, config, run, folder, first_surface) -> int:
    """Load what --is_continue asks for, else warm-start; returns the first epoch to train."""
    import torch

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
            n_steps=config.train.warm_start_steps,
            bound=config.model.ray_tracer.object_bounding_sphere,
            generator=torch.Generator().manual_seed(config.train.seed),
        )
    return 0


def _saver(folder, run, save_every: int):
    from imavatar.training.checkpoints import LATEST, save_checkpoint
    from imavatar.training.state import run_state

    def save(epoch: int) -> None:
        names = [LATEST, str(epoch)] if epoch % save_every == 0 else [LATEST]
        save_checkpoint(folder.checkpoints, names, run_state(run, epoch))

    return save


def _previewer(config, folder, run, dataset):
    """Writes a rendering of the first frame every `train.preview_every` epochs."""
    import torch

    from imavatar import build
    from imavatar.export.strips import write_strip

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
        write_strip(folder.train / "previews" / f"epoch_{epoch}.png", frame.image, image)

    return preview


def evaluate_run(args: argparse.Namespace) -> None:
    """Render the test sequences of a trained run and measure them."""
    from imavatar import build
    from imavatar.cli.trained import keypoint_detector, load_trained
    from imavatar.evaluation.frames import evaluate
    from imavatar.evaluation.lpips import load_lpips

    trained = load_trained(args.conf, args.subject, args.checkpoint, args.load_path)
    lpips, detect = load_lpips(), keypoint_detector()
    for name, dataset, latent in _evaluated(trained, args):
        out = trained.folder.evaluation(name, trained.epoch)
        summary = evaluate(
            dataset,
            trained.flame,
            build.build_renderer(trained.config, trained.avatar),
            out,
            lpips=lpips,
            detect=detect,
            progress=ProgressLine("frames evaluated"),
            latent=latent,
            mesh_resolution=trained.config.plot.mesh_resolution,
            fps=trained.config.plot.fps,
        )
        agreement = _check_search(trained, dataset)
        (out / "search_check.json").write_text(json.dumps(agreement.as_dict(), indent=1))
        print(summary.table())
        print(agreement)
        print(f"results: {out}")


def _evaluated(trained, args: argparse.Namespace):
    """Name of the results, frames, latent codes: of each test sequence, or of what training optimised."""
    from imavatar import build
    from imavatar.training.checkpoint_head import check_shape
    from imavatar.training.checkpoints import checkpoint_file, load_part
    from imavatar.training.state import load_tables

    config = trained.config
    if not args.optimised:
        for sub_dir in config.dataset.test.sub_dir:
            dataset = build.build_dataset(build.with_test_dir(config, sub_dir), "test", only_json=args.only_json)
            shape = build.build_flame(config, trained.head, dataset.shape_params).v_template
            check_shape(shape, trained.flame, f"test sequence {sub_dir}")
            yield sub_dir, dataset, trained.latent
        return
    dataset = build.build_dataset(config, "train", only_json=args.only_json)
    frames = build.build_frame_parameters(config, dataset)
    if not frames.trainable():
        raise ConfigError("--optimised: training optimises no parameter of a frame; see the keys train.optimize_*")
    part = load_part(trained.checkpoints, "inputs", trained.checkpoint)
    load_tables(frames, part, checkpoint_file(trained.checkpoints, "inputs", trained.checkpoint))
    name = "+".join(config.dataset.train.sub_dir) + "_optimised"
    optimised = dataset.with_parameters(*frames.all_frames(dataset.camera()))
    yield name, optimised, frames.latent_codes.weight.detach().to(trained.latent.device)


def _check_search(trained, dataset):
    """The renderer's search against the paper's, on a grid of rays of the first frame."""
    from imavatar import build
    from imavatar.rendering.search_check import compare_searches

    device = trained.flame.v_template.device
    posed = trained.flame(dataset.head([0]).to(device), trained.latent)
    return compare_searches(
        trained.avatar,
        build.build_search(trained.config, "proxy"),
        build.build_search(trained.config, "paper"),
        dataset.camera([0]).to(device),
        posed,
        height=dataset.height,
        width=dataset.width,
        stride=max(1, dataset.height // CHECKED_PER_SIDE),
    )
