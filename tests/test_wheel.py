"""The wheel, installed somewhere else and used from another working directory, does what a checkout does."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import imavatar
from imavatar.head.assets import OPEN_HEAD_FILE, save_head
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import write_config

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CITATION.cff", "constraints.txt")
LEFT_BY_AN_EARLIER_BUILD = "gone.py"


def can_build() -> bool:
    try:
        version("pip")
        return int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not can_build(), reason="building a wheel needs pip and setuptools 77 (extra `test`)")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder that the wheel of a copy of the sources was installed into."""
    root = tmp_path_factory.mktemp("wheel")
    copy = root / "copy"
    for folder in ("code", "confs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in SOURCES:
        shutil.copy(ROOT / name, copy / name)
    left = copy / "build" / "lib" / "imavatar" / LEFT_BY_AN_EARLIER_BUILD
    left.parent.mkdir(parents=True)
    left.write_text("")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", root / "out", copy], check=True)
    (wheel,) = (root / "out").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", root / "site", wheel], check=True)
    return root / "site"


@pytest.fixture(scope="module")
def run(site, tmp_path_factory):
    """Runs the installed command in an empty folder, with an empty data folder; compiled kernels are the user's."""
    work, home = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("home")

    def run(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        own = {"PYTHONPATH": str(site), "XDG_DATA_HOME": str(home), "OMP_NUM_THREADS": "1"}
        environment = {key: value for key, value in os.environ.items() if not key.startswith("IMAVATAR")} | own
        command = [sys.executable, *(python or (str(site / "bin" / "imavatar"),)), *arguments]
        return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)

    run.work, run.data = work, home / "imavatar"
    return run


def test_the_installed_copy_is_what_is_tested(run, site):
    code = "import imavatar, imavatar_lab; print(imavatar.__file__, imavatar_lab.__file__)"
    found = run("-c", code, python=("-P",) if sys.version_info >= (3, 11) else ("-B",)).stdout.split()
    assert [Path(file).parents[1] for file in found] == [site, site]


def test_it_brings_its_configurations_and_pages_along(site):
    shipped = {path.relative_to(ROOT / "confs") for path in (ROOT / "confs").rglob("*.conf")}
    assert {path.relative_to(site / "imavatar" / "confs") for path in site.rglob("*.conf")} == shipped
    assert (site / "imavatar" / "export" / "web" / "page.js").is_file()
    assert (site / "imavatar_lab" / "reproduce" / "Snakefile").is_file()


def test_it_has_the_modules_of_the_sources_and_no_others(site):
    for package in ("imavatar", "imavatar_lab"):
        modules = {path.relative_to(ROOT / "code") for path in (ROOT / "code" / package).rglob("*.py")}
        assert {path.relative_to(site) for path in (site / package).rglob("*.py")} == modules


def test_the_command_says_its_version_and_where_it_looks_for_assets(run):
    assert run("--version").stdout == f"imavatar {imavatar.__version__}\n"
    checked = run("fetch-assets", "--check")
    assert checked.returncode == 2 and f"{run.data / 'assets'}:" in checked.stderr
    assert "run: imavatar fetch-assets --only" in checked.stderr
    unprepared = run("train", "--conf", "fast")
    assert unprepared.returncode == 2 and str(run.data / "datasets") in unprepared.stderr


def test_an_avatar_is_trained_and_exported_from_another_folder(run):
    write_subject(run.data / "datasets")
    (run.data / "assets").mkdir(parents=True)
    save_head(run.data / "assets" / OPEN_HEAD_FILE, ellipsoid_head())
    conf = Path(write_config(run.work, extra="train.warm_start_steps = 60\n"))
    text = conf.read_text().replace(f'"{run.work}/runs"', '"../data/experiments"')
    text = text.replace(f'data_folder = "{run.work}"', 'data_folder = "../data/datasets"')
    conf.write_text(text.replace(f'head_model = "{run.work}/head.npz"', "head_model = open"))
    trained = run("train", "--conf", conf.name, "--nepoch", "1")
    assert trained.returncode == 0, trained.stderr
    assert (run.data / "experiments" / "sphere" / "tiny" / "train" / "config.conf").is_file()
    sizes = ["--resolution", "24", "--faces", "600", "--texture", "0", "--check", "0"]
    exported = run("export", "--conf", conf.name, "--out", "a.glb", *sizes)
    assert exported.returncode == 0, exported.stderr
    assert (run.work / "a.glb").read_bytes()[:4] == b"glTF"
