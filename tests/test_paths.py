"""Folders are found by the rules of `imavatar.paths`: environment, project, the user's own."""

from pathlib import Path

import pytest

from imavatar import paths
from imavatar.config.hocon import read_hocon

PROJECT = Path(__file__).parents[1].resolve()


def forget_variables(monkeypatch) -> None:
    for variable in (paths.DATA, paths.ASSETS, paths.FLAME):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """As in an installed copy: the package lies in no checkout, and the user works in an empty folder."""
    package = tmp_path / "site-packages" / "imavatar"
    (package / "confs" / "baselines").mkdir(parents=True)
    (package / "confs" / "fast.conf").write_text("")
    (package / "confs" / "baselines" / "c_net.conf").write_text("")
    monkeypatch.setattr(paths, "PACKAGE", package)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    forget_variables(monkeypatch)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def make_checkout(folder: Path) -> Path:
    (folder / "confs").mkdir(parents=True)
    (folder / "code" / "imavatar").mkdir(parents=True)
    (folder / "code" / "imavatar" / "__init__.py").write_text("")
    return folder


def test_a_checkout_keeps_everything_in_itself(monkeypatch, tmp_path):
    forget_variables(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert paths.is_checkout() and paths.project_dir() == PROJECT
    assert paths.data_dir() == PROJECT / "data" and paths.assets_dir() == PROJECT / "data" / "assets"
    assert paths.flame_dir() == PROJECT / "flame" and paths.confs_dir() == PROJECT / "confs"
    assert paths.command("build_head") == "python scripts/build_head.py"


def test_variables_come_first(monkeypatch, tmp_path):
    forget_variables(monkeypatch)
    monkeypatch.setenv(paths.DATA, str(tmp_path / "d"))
    assert paths.data_dir() == tmp_path / "d" and paths.assets_dir() == tmp_path / "d" / "assets"
    assert paths.resolve_path("../data/datasets") == (tmp_path / "d" / "datasets").resolve()
    monkeypatch.setenv(paths.ASSETS, str(tmp_path / "a"))
    monkeypatch.setenv(paths.FLAME, "~/f")
    assert paths.assets_dir() == tmp_path / "a" and paths.flame_dir() == Path.home() / "f"


def test_an_installed_copy_uses_the_users_own_folder(installed, tmp_path):
    own = tmp_path / "share" / "imavatar"
    assert paths.project_dir() is None and not paths.is_checkout()
    assert paths.data_dir() == own and paths.assets_dir() == own / "assets" and paths.flame_dir() == own / "flame"
    assert paths.resolve_path("../data/experiments/") == (own / "experiments").resolve()
    assert paths.resolve_path("runs") == installed.resolve() / "runs"
    assert paths.command("build_head") == "imavatar build-head"


def test_an_installed_copy_uses_the_project_that_the_user_is_in(installed, monkeypatch):
    project = make_checkout(installed / "project")
    (project / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "er")
    assert paths.project_dir() == project and paths.data_dir() == project / "data"
    assert paths.resolve_path("x") == (project / "code" / "x").resolve()


@pytest.mark.parametrize("name", ["fast", "fast.conf", "confs/fast.conf"])
def test_shipped_configurations_are_found_by_name(installed, name):
    assert paths.find_conf(name) == paths.PACKAGE / "confs" / "fast.conf"


def test_a_file_of_the_users_comes_before_a_shipped_one(installed):
    (installed / "fast.conf").write_text("")
    assert paths.find_conf("fast.conf") == Path("fast.conf")
    assert paths.find_conf("confs/baselines/c_net") == paths.PACKAGE / "confs" / "baselines" / "c_net.conf"


@pytest.mark.parametrize("name", ["nonsense", "../fast", "/fast", "confs/../fast", "confs", ""])
def test_what_is_no_shipped_name_stays_as_it_is(installed, name):
    assert paths.find_conf(name) == Path(name)


def test_a_configuration_includes_shipped_ones_by_name(installed):
    confs = paths.PACKAGE / "confs"
    (confs / "fast.conf").write_text("a = 1, b = 1")
    (confs / "baselines" / "c_net.conf").write_text('include "../fast.conf"\nb = 2')
    own = installed / "own.conf"
    own.write_text('include "confs/baselines/c_net.conf"\nc = 3')
    assert read_hocon(own) == {"a": 1, "b": 2, "c": 3}


def test_a_file_beside_a_configuration_is_included_before_a_shipped_one(installed, monkeypatch):
    (paths.PACKAGE / "confs" / "fast.conf").write_text("a = shipped")
    (installed / "fast.conf").write_text("a = of the working directory")
    folder = installed / "folder"
    folder.mkdir()
    (folder / "own.conf").write_text('include "fast.conf"')
    assert read_hocon(folder / "own.conf") == {"a": "shipped"}
    (folder / "fast.conf").write_text("a = beside")
    assert read_hocon(folder / "own.conf") == {"a": "beside"}
