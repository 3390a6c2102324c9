"""Where scalars go: CSV always, TensorBoard where installed, wandb on request."""

import csv
import importlib.util
import io
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imavatar.files.atomic import write_text

logger = logging.getLogger(__name__)

RENAMED = {"limited": "clipped"}
"""Columns of files that version 0.1.0 has begun, and what they are called now."""


class ScalarLog:
    """Writes rows of named numbers.

    Args:
        folder: gets `train.csv`, and `tensorboard/`.
        start: the first step that will be logged: rows of it and later ones, of a run that was broken off or is
            repeated from an earlier checkpoint, are taken out; None: all stay.
        wandb_workspace: entity to log to; without an API key the run is written offline.
    """

    def __init__(
        self, folder: Path, *, start: int | None = None, wandb_workspace: str | None = None, run_name: str = ""
    ):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "train.csv"
        self._rename_columns()
        if start is not None:
            self._forget(start)
        self._tensorboard = _tensorboard_writer(folder / "tensorboard", start)
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
            self._write([*rows, row], columns)
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
        """Rows of the file; cells beyond its columns are under None."""
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
            return list(csv.DictReader(file))

    def _write(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path, text.getvalue())

    def _rename_columns(self) -> None:
        """Give the columns of an older version's file their present names."""
        rows = self._rows()
        if rows and RENAMED.keys() & rows[0].keys():
            renamed = [{RENAMED.get(name, name): value for name, value in row.items()} for row in rows]
            self._write([{k: v for k, v in row.items() if k is not None} for row in renamed], list(renamed[0]))

    def _forget(self, start: int) -> None:
        """Take out rows from `start` on, and those that a kill or a full disk has cut."""
        rows = self._rows()
        kept = [row for row in rows if None not in row and None not in row.values() and _step(row, start) < start]
        if len(kept) < len(rows):
            logger.info("%s: %d rows of steps that will be made again are taken out", self.path, len(rows) - len(kept))
            self._write(kept, list(kept[0]) if kept else ["step"])


def _step(row: Mapping[str, str], otherwise: int) -> int:
    """A row's step; `otherwise` where it has none."""
    text = row.get("step", "")
    return int(text) if text.isascii() and text.isdecimal() else otherwise


def _tensorboard_writer(folder: Path, start: int | None):
    if importlib.util.find_spec("tensorboard") is None:
        logger.info("TensorBoard is not installed (extra `log`): scalars go to train.csv alone")
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=start or None)


def _wandb_run(folder: Path, workspace: str, name: str):
    if importlib.util.find_spec("wandb") is None:
        logger.warning("--wandb_workspace is ignored: wandb is not installed (pip install wandb)")
        return None
    import wandb

    online = "WANDB_API_KEY" in os.environ or Path("~/.netrc").expanduser().exists()
    mode = os.environ.get("WANDB_MODE", "online" if online else "offline")
    return wandb.init(project="imavatar", entity=workspace, name=name, dir=str(folder), mode=mode, resume="allow")
