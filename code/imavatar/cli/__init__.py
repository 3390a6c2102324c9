"""The commands: arguments, logging, exit codes. Each script in `scripts/` calls one function."""

from imavatar.cli.animate import animate_main
from imavatar.cli.benchmark import benchmark_main
from imavatar.cli.build_head import build_head_main
from imavatar.cli.check_data import check_data_main
from imavatar.cli.check_parity import check_parity_main
from imavatar.cli.evaluate import evaluate_main
from imavatar.cli.exp_runner import exp_runner_main
from imavatar.cli.export_avatar import export_avatar_main
from imavatar.cli.export_web import export_web_main
from imavatar.cli.fetch_assets import fetch_assets_main
from imavatar.cli.make_synthetic import make_synthetic_main
from imavatar.cli.preprocess import preprocess_main
from imavatar.cli.reproduce import reproduce_main
from imavatar.cli.track_images import track_images_main
from imavatar.cli.view import view_main

__all__ = [
    "animate_main",
    "benchmark_main",
    "build_head_main",
    "check_data_main",
    "check_parity_main",
    "evaluate_main",
    "exp_runner_main",
    "export_avatar_main",
    "export_web_main",
    "fetch_assets_main",
    "make_synthetic_main",
    "preprocess_main",
    "reproduce_main",
    "track_images_main",
    "view_main",
]
