"""Where compiled kernels go: compiled code is loaded from there, so that nobody else may write it."""

import stat

from imavatar.numerics.nvidia_warp import private_folder


def test_an_own_folder_is_made_and_used_again(tmp_path):
    folder = private_folder(tmp_path / "warp-1")
    assert folder == tmp_path / "warp-1" and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert private_folder(tmp_path / "warp-1") == folder


def test_a_folder_that_others_can_write_a_link_or_a_file_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "file").touch()
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    for name in ("open", "file", "link"):
        folder = private_folder(tmp_path / name)
        assert folder.parent == tmp_path and folder.name.startswith("warp-")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_of_another_user_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "theirs").mkdir(mode=0o700)
    monkeypatch.setattr("os.getuid", lambda: (tmp_path / "theirs").stat().st_uid + 1)
    assert private_folder(tmp_path / "theirs") != tmp_path / "theirs"
