"""The documentation as a whole: it builds as a site without a warning, and the README stays short."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import imavatar

ROOT = Path(__file__).parents[1]
MOST_WORDS = 1200
SITE_PACKAGES = ("mkdocs", "material", "mkdocstrings_handlers.python")


def is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


NEEDS_SITE = pytest.mark.skipif(
    not all(map(is_installed, SITE_PACKAGES)),
    reason="needs mkdocs-material and mkdocstrings[python]: pip install '.[docs]'",
)


def build_site(config: Path, out: Path) -> subprocess.CompletedProcess:
    """Build strictly; the package is read, not imported, so nothing else has to be installed."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(out)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


@NEEDS_SITE
def test_the_site_builds_without_a_warning(tmp_path):
    built = build_site(ROOT / "mkdocs.yml", tmp_path)
    assert built.returncode == 0, built.stderr[-3000:]
    for page, shows in {
        "index.html": "images/synthetic.png",
        "python/index.html": "repository/examples/animate.ipynb",
        "data/index.html": "../flame/",
        "api/library/index.html": "imavatar.workflows.trained.load",
        "contributing/index.html": "../architecture/",
    }.items():
        assert shows in (tmp_path / page).read_text(encoding="utf-8"), page
    assert (tmp_path / "repository" / "examples" / "animate.ipynb").is_file()


@NEEDS_SITE
def test_a_link_to_nothing_stops_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Page\n\n[text](nowhere.md) and [text](#no-heading)\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: made up\nvalidation: {anchors: warn}\n")
    built = build_site(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert built.returncode != 0
    assert "nowhere.md" in built.stderr and "#no-heading" in built.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_examples_in_python_use_public_names(page):
    """What they do is tested where the notebook is run; here, that they compile and name what there is."""
    examples = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        compile(example, page, "exec")
        public = set(re.findall(r"\bimavatar\.(\w+)", example))
        members = set(re.findall(r"\bavatar\.(\w+)\(", example))
        assert public <= set(imavatar.__all__)
        assert members <= set(dir(imavatar.TrainedAvatar))


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= MOST_WORDS


def test_commits_are_checked_with_the_pinned_ruff():
    pinned = re.search(r"^ruff==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    hooks = re.findall(r"ruff==([\d.]+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert pinned and hooks and set(hooks) == {pinned[1]}
