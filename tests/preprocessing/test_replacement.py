"""A folder that is replaced as a whole: killed at any moment, the old or the new one is there at the next start."""

import shutil
from pathlib import Path

import pytest

from imavatar.preprocessing.replacement import discard_new, finish_replacements, new_folder, replace_folder

REPORT = "report.json"


@pytest.fixture
def target(tmp_path):
    """A subject's folder, with folders beside it that are not its own."""
    for name in ("me", ".me.partial-x.partial-abcdefgh", ".meadow.partial-abcdefgh", ".me.partial-abc", "other"):
        fill(tmp_path / name, name)
    return tmp_path / "me"


def fill(folder: Path, content: str) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "images" / "1.png").write_text(content)
    (folder / REPORT).write_text(content)
    return folder


def found(target: Path) -> str:
    """The subject's content, which is of one kind, with nothing of its own left beside it."""
    texts = {path.read_text() for path in target.rglob("*") if path.is_file()}
    assert len(texts) == 1 and len(list(target.rglob("*"))) == 3
    names = {path.name for path in target.parent.iterdir()} - {"me"}
    assert names == {".me.partial-x.partial-abcdefgh", ".meadow.partial-abcdefgh", ".me.partial-abc", "other"}
    return texts.pop()


class Killed(BaseException):
    """Ends a process where nothing is cleaned up."""


def test_a_folder_takes_the_place_of_another(target):
    replace_folder(fill(new_folder(target), "new"), target)
    assert found(target) == "new"
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_folder_takes_an_empty_place(target):
    shutil.rmtree(target)
    replace_folder(fill(new_folder(target), "new"), target)
    assert found(target) == "new"


def test_whenever_a_process_is_killed_the_next_one_finds_the_old_or_the_new_folder(target, monkeypatch):
    """Killed before each of its steps in turn, until it comes through."""
    outcomes = []
    for step in range(100):
        for left in target.parent.glob("me"):
            shutil.rmtree(left)
        fill(target, "old")
        partial = fill(new_folder(target), "new")
        with monkeypatch.context() as patch:
            dying_after(step, patch)
            try:
                replace_folder(partial, target)
            except Killed:
                pass
            else:
                assert found(target) == "new"
                break
        finish_replacements(target)
        outcomes.append(found(target))
    # First nothing has been done, in the end all but the removal of the old one.
    assert step >= 4 and outcomes == sorted(outcomes, reverse=True)
    assert {"old", "new"} == set(outcomes)


def dying_after(steps: int, patch) -> None:
    """Let the process die before the next change of the file system; undo nothing."""
    taken = ["begun"]

    def counted(name, function):
        def run(*args, **options):
            if taken[-1] == "dead" or len(taken) > steps:
                taken.append("dead")
                raise Killed
            taken.append(name)
            return function(*args, **options)

        return run

    patch.setattr(Path, "rename", counted("rename", Path.rename))
    patch.setattr(shutil, "rmtree", counted("rmtree", shutil.rmtree))
    patch.setattr(Path, "chmod", counted("chmod", Path.chmod))


def test_a_half_removed_old_folder_is_not_put_back(target):
    shutil.rmtree(target)
    left = new_folder(target)
    (left / "images").mkdir()
    finish_replacements(target)
    assert not target.exists() and not left.exists()


def test_a_new_folder_that_was_being_removed_does_not_take_the_place_of_the_old_one(target):
    partial = fill(new_folder(target), "new")
    target.rename(partial.with_name(partial.name + ".old"))
    shutil.copytree(partial, partial.with_name("kept"))
    discard_new(partial)
    partial.mkdir()
    finish_replacements(target)
    shutil.rmtree(partial.with_name("kept"))
    assert found(target) == "me"


def test_a_folder_that_cannot_be_moved_leaves_the_old_one(target, monkeypatch):
    partial = fill(new_folder(target), "new")
    rename = Path.rename

    def refuse(self, other):
        if self == partial:
            raise OSError(13, "Permission denied")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="Permission denied"):
        replace_folder(partial, target)
    discard_new(partial)
    assert found(target) == "me"
