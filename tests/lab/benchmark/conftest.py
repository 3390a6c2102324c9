"""A folder with the rendered sphere and a head."""

from pathlib import Path

import pytest

from imavatar.head.assets import save_head
from oracles_ellipsoid_head import ellipsoid_head


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    return tmp_path
