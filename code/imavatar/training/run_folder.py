"""Every path of a run (docs/checkpoints.md, section 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imavatar.files.locks import LOCK_FILE


@dataclass(frozen=True)
class RunFolder:
    """`<exps_folder>/<subject>/<methodname>/<train dirs joined by +>`."""

    root: Path

    @classmethod
    def of(cls, exps_folder: Path, subject: str, method: str, train_dirs: Sequence[str]):
        """The run of a subject, a method and its training sequences."""
        return cls(exps_folder / subject / method / "+".join(train_dirs))

    @property
    def train(self) -> Path:
        """Logs, previews and checkpoints of the training."""
        return self.root / "train"

    @property
    def checkpoints(self) -> Path:
        """The folder that holds the five folders of the checkpoint format."""
        return self.train / "checkpoints"

    @property
    def config(self) -> Path:
        """The resolved configuration, as it can be read again."""
        return self.root / "config.conf"

    @property
    def finished(self) -> Path:
        """Says how many epochs the last completed training had."""
        return self.train / "finished.json"

    @property
    def training_lock(self) -> Path:
        """Held by the process that trains the run."""
        return self.train / LOCK_FILE

    @property
    def evaluation_lock(self) -> Path:
        """Held by the process that evaluates the run."""
        return self.root / "eval" / LOCK_FILE

    def evaluation(self, sub_dir: str, epoch: int) -> Path:
        """Results of a checkpoint on one test sequence."""
        return self.root / "eval" / sub_dir / f"epoch_{epoch}"
