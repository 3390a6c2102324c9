"""`scripts/exp_runner.py --is_eval`: the test sequences of a trained run, rendered and measured."""

import argparse
import json

from imavatar.baselines.names import TEXTURED_HEAD
from imavatar.cli.common import ProgressLine
from imavatar.data.workplace import alone, remove_all_leftovers
from imavatar.errors import ConfigError
from imavatar.files.atomic import write_text

CHECKED_PER_SIDE = 16
"""Rays along each side of the grid on which the renderer's search is checked."""


def evaluate_run(args: argparse.Namespace) -> None:
    """Render the test sequences of a trained run and measure them."""
    from imavatar.cli.trained import load_trained

    trained = load_trained(args.conf, args.subject, args.checkpoint, args.load_path)
    lock = trained.folder.evaluation_lock
    with alone(lock, "an evaluation"):
        remove_all_leftovers(lock.parent)
        _evaluate(trained, args)


def _evaluate(trained, args: argparse.Namespace) -> None:
    """Every sequence's results, and the report."""
    from imavatar import build
    from imavatar.cli.trained import keypoint_detector
    from imavatar.evaluation.frames import evaluate
    from imavatar.evaluation.lpips import load_lpips

    lpips, detect = load_lpips(), keypoint_detector()
    evaluations = {}
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
        print(summary.table())
        if trained.config.model.method != TEXTURED_HEAD:
            agreement = _check_search(trained, dataset)
            write_text(out / "search_check.json", json.dumps(agreement.as_dict(), indent=1))
            print(agreement)
        print(f"results: {out}")
        evaluations[name] = out
    print(f"report: {_write_report(trained, evaluations)}")


def _evaluated(trained, args: argparse.Namespace):
    """Name of the results, frames, latent codes: of each test sequence, or of what training optimised."""
    from imavatar import build
    from imavatar.training.checkpoint_head import check_shape
    from imavatar.training.checkpoints import read_checkpoint
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
    part = read_checkpoint(trained.checkpoints, trained.checkpoint, ["model", "inputs"])["inputs"]
    load_tables(frames, part.content, part.path)
    name = "+".join(config.dataset.train.sub_dir) + "_optimised"
    optimised = dataset.with_parameters(*frames.all_frames(dataset.camera()))
    yield name, optimised, frames.latent_codes.weight.detach().to(trained.latent.device)


def _write_report(trained, evaluations):
    """The page about the run with these results."""
    from imavatar.evaluation.run_report import write_run_report

    config, folder = trained.config, trained.folder
    network, search = config.model.deformer_network, config.model.ray_tracer.search
    facts = {
        "subject": config.dataset.subject_name,
        "method": config.model.method,
        "configuration": config.train.methodname,
        "trained on": ", ".join(config.dataset.train.sub_dir),
        "epoch": str(trained.epoch),
        "head model": f"{trained.head.name}, {network.num_exp} expression coefficients",
        "search in training": search,
        "image size": "{} x {}".format(*config.dataset.test.img_res),
    }
    own = folder.config
    return write_run_report(
        folder.root / "report.html",
        title=f"{config.dataset.subject_name}: {config.train.methodname}",
        facts=facts,
        configuration=own.read_text(encoding="utf-8", errors="replace")
        if own.is_file()
        else "the run's configuration is not there",
        scalars=folder.train / "train.csv",
        previews=folder.train / "previews",
        evaluations=evaluations,
    )


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
