"""A trained avatar and its exported file."""

import os
from pathlib import Path

import pytest

from imavatar.cli import exp_runner_main, export_avatar_main
from imavatar.head.assets import save_head
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import write_config

FACES = 4000


@pytest.fixture(scope="session")
def conf(tmp_path_factory) -> str:
    """The configuration of a sphere that was trained for two epochs."""
    root = tmp_path_factory.mktemp("trained")
    write_subject(root)
    save_head(root / "head.npz", ellipsoid_head())
    conf = write_config(root, extra="train.warm_start_steps = 100\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAVATAR_ASSETS", str(root / "none"))
        exp_runner_main(["--conf", conf, "--nepoch", "2"])
    return conf


@pytest.fixture(scope="session")
def exported(conf, tmp_path_factory) -> Path:
    """The avatar named by IMAVATAR_VIEWED (a .glb), or the sphere's."""
    if os.environ.get("IMAVATAR_VIEWED"):
        return Path(os.environ["IMAVATAR_VIEWED"])
    return export(conf, tmp_path_factory.mktemp("exported") / "avatar.glb")


@pytest.fixture(scope="session")
def quantised(conf, tmp_path_factory) -> Path:
    """The sphere's file with targets in 16 bits."""
    return export(conf, tmp_path_factory.mktemp("quantised") / "avatar.glb", "--quantise")


def export(conf: str, out: Path, *arguments: str) -> Path:
    sizes = ["--resolution", "64", "--faces", str(FACES), "--texture", "256", "--check", "0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAVATAR_ASSETS", str(out.parent / "none"))
        export_avatar_main(["--conf", conf, "--out", str(out), *sizes, *arguments])
    return out
