"""Where things lie: the project, its configurations, data, assets and head models.

A folder is looked for in this order: the environment variable that names it; the project folder; the user's own data
folder. The project folder is the checkout that this package lies in, or else the nearest folder above the working
directory that is a checkout. So a clone keeps everything in itself, and an installed package works from anywhere.
"""

import os
from pathlib import Path

from platformdirs import user_data_path

PACKAGE = Path(__file__).resolve().parent
DATA, ASSETS, FLAME = "IMAVATAR_DATA", "IMAVATAR_ASSETS", "IMAVATAR_FLAME"
"""Environment variables of the folders of data, of assets, and of licensed head models."""
CONF_SUFFIX = ".conf"


def project_dir() -> Path | None:
    """The folder that holds `code`, `confs`, `data`, `scripts`; None where there is none."""
    if is_checkout():
        return PACKAGE.parents[1]
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if _is_project(folder)), None)


def is_checkout() -> bool:
    """Whether this package lies in the project folder, and is no installed copy."""
    return _is_project(PACKAGE.parents[1])


def _is_project(folder: Path) -> bool:
    return (folder / "confs").is_dir() and (folder / "code" / "imavatar" / "__init__.py").is_file()


def data_dir() -> Path:
    """Data sets, experiments and assets: $IMAVATAR_DATA, the project's `data`, or the user's data folder."""
    return _chosen(DATA) or _of_project("data") or user_data_path("imavatar", appauthor=False)


def assets_dir() -> Path:
    """Files that are fetched or built: $IMAVATAR_ASSETS, or `assets` in the data folder."""
    return _chosen(ASSETS) or data_dir() / "assets"


def flame_dir() -> Path:
    """Licensed head models: $IMAVATAR_FLAME, the project's `flame`, or `flame` in the data folder."""
    return _chosen(FLAME) or _of_project("flame") or data_dir() / "flame"


def confs_dir() -> Path:
    """The configurations that are shipped: the project's `confs`, or the installed package's copy of it."""
    return PACKAGE.parents[1] / "confs" if is_checkout() else PACKAGE / "confs"


def find_conf(path: str | Path) -> Path:
    """The file of a configuration: the path itself, or where there is no such file a shipped one of this name."""
    return Path(path) if os.path.exists(path) else shipped_conf(path) or Path(path)


def shipped_conf(name: str | Path) -> Path | None:
    """A shipped configuration: `fast`, `fast.conf` and `confs/fast.conf` all name the file `fast.conf`."""
    name = Path(name)
    inner = name.relative_to("confs") if name.parts[:1] == ("confs",) else name
    if inner.is_absolute() or not inner.name or ".." in inner.parts:
        return None
    file = confs_dir() / (inner if inner.suffix == CONF_SUFFIX else inner.with_name(inner.name + CONF_SUFFIX))
    return file if os.path.isfile(file) else None


def resolve_path(path: str | Path) -> Path:
    """A path in a configuration file. `../data` is the data folder; other relative ones start at the project's `code`
    folder, or where there is no project at the working directory.
    """
    path = Path(path).expanduser()
    if path.parts[:2] == ("..", "data"):
        return data_dir().joinpath(*path.parts[2:]).resolve()
    project = project_dir()
    return ((Path.cwd() if project is None else project / "code") / path).resolve()


def command(name: str) -> str:
    """How a command is called here, for messages: `python scripts/build_head.py` or `imavatar build-head`."""
    return f"python scripts/{name}.py" if is_checkout() else f"imavatar {name.replace('_', '-')}"


def _chosen(variable: str) -> Path | None:
    text = os.environ.get(variable)
    return Path(text).expanduser() if text else None


def _of_project(name: str) -> Path | None:
    project = project_dir()
    return None if project is None else project / name
