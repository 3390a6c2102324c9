"""`imavatar COMMAND`: the list of commands, and what each is called by."""

import subprocess
import sys
from pathlib import Path

import pytest

import imavatar
import imavatar.cli
import imavatar_lab.cli

CODE = Path(imavatar.__file__).parents[1]


def said(*arguments: str, package: str = "imavatar", cwd: Path | None = None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", package, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(CODE)}, cwd=cwd, check=False)


@pytest.mark.parametrize(("package", "table"), [("imavatar", imavatar.cli), ("imavatar_lab", imavatar_lab.cli)])
def test_help_lists_every_command(package, table, tmp_path):
    found = said("--help", package=package, cwd=tmp_path)
    assert found.returncode == 0
    for name, (_, what) in table.SUBCOMMANDS.items():
        assert f"  {name} " in found.stdout and what in found.stdout
    assert said(package=package).stdout == found.stdout


def test_every_command_has_a_module_and_every_module_a_command():
    modules = {path.stem for path in (CODE / "imavatar" / "cli").glob("*.py") if "_main(" in path.read_text()}
    assert set(imavatar.cli.COMMANDS) == modules - {"common", "lazily"}


def test_a_command_is_named_by_its_own_help_and_errors(tmp_path):
    assert "usage: imavatar train " in said("train", "--help", cwd=tmp_path).stdout
    refused = said("train", cwd=tmp_path)
    assert refused.returncode == 2 and "imavatar train: error:" in refused.stderr
    missing = said("train", "--conf", "nonsense", cwd=tmp_path)
    assert missing.returncode == 2 and missing.stderr.startswith("error: nonsense: no such file")


def test_an_unknown_command_is_refused_with_the_known_ones(tmp_path):
    refused = said("trian", cwd=tmp_path)
    assert refused.returncode == 2 and "'trian'" in refused.stderr and "export-web" in refused.stderr


def test_there_is_one_version(tmp_path):
    assert said("--version", cwd=tmp_path).stdout == f"imavatar {imavatar.__version__}\n"
