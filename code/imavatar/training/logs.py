"""Where scalars go: CSV always, TensorBoard where installed, wandb on request."""

import csv
import importlib.util
import logging
import os
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)


class ScalarLog:
    """Writes rows of named numbers.

    Args:
        folder: gets `train.csv`, and `tensorboard/`.
        wandb_workspace: entity to log to; without an API key the run is written offline.
        run_name: name of the run in wandb.
    """

    def __init__(self, folder: Path, *, wandb_workspace: str | None = None, run_name: str = ""):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "train.csv"
        self._tensorboard = _tensorboard_writer(folder / "tensorboard")
        self._wandb = _wandb_run(folder, wandb_workspace, run_name) if wandb_workspace else None

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """One row; a column that is new is added to the whole file."""
        row = {"step": step, **scalars}
        rows = self._rows()
        columns = list(dict.fromkeys([*(rows[0] if rows else ()), *row]))
        if rows and columns == list(rows[0]):
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, columns).writerow(row)
        else:
            with self.path.open("w", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows([*rows, row])
        if self._tensorboard is not None:
            for name, value in scalars.items():
                self._tensorboard.add_scalar(name, value, step)
            self._tensorboard.flush()
        if self._wandb is not None:
            self._wandb.log(dict(scalars), step=step)

    def close(self) -> None:
        """Finish all sinks."""
        if self._tensorboard is not None:
            self._tensorboard.close()
        if self._wandb is not None:
            self._wandb.finish()

    def _rows(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))


def _tensorboard_writer(folder: Path):
    if importlib.util.find_spec("tensorboard") is None:
        logger.info("TensorBoard is not installed (extra `log`): scalars go to train.csv alone")
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))


def _wandb_run(folder: Path, workspace: str, name: str):
    if importlib.util.find_spec("wandb") is None:
        logger.warning("--wandb_workspace is ignored: wandb is not installed (pip install wandb)")
        return None
    import wandb

    online = "WANDB_API_KEY" in os.environ or Path("~/.netrc").expanduser().exists()
    mode = os.environ.get("WANDB_MODE", "online" if online else "offline")
    return wandb.init(project="imavatar", entity=workspace, name=name, dir=str(folder), mode=mode, resume="allow")
