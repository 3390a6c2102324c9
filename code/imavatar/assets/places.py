"""Where things lie: the project, and the files that it does not ship."""

import os
from pathlib import Path

ENVIRONMENT_VARIABLE = "IMAVATAR_ASSETS"
FETCH = "python scripts/fetch_assets.py"


def project_dir() -> Path:
    """The folder that holds `code`, `confs`, `data`, `scripts`."""
    return Path(__file__).resolve().parents[3]


def assets_dir() -> Path:
    """Where assets lie: $IMAVATAR_ASSETS, or `data/assets` of the project."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(chosen).expanduser() if chosen else project_dir() / "data" / "assets"
