"""The checkpoints of a run that trains: which are saved and kept, and which to go back to."""

import logging
from pathlib import Path

from imavatar.errors import CheckpointError
from imavatar.training.checkpoint_files import FOLDERS, LATEST, save_checkpoint
from imavatar.training.checkpoints import read_checkpoint
from imavatar.training.state import check_content, run_state
from imavatar.training.step import Run

logger = logging.getLogger(__name__)

ADVICE = "lower train.learning_rate or set train.gradient_limit = 3"


class RunCheckpoints:
    """Saves a run before every epoch; for the one process that writes, which holds the run's lock.

    Args:
        folder: the run's `checkpoints`.
        every: epochs whose checkpoint is kept by number too.
    """

    def __init__(self, folder: Path, run: Run, *, every: int):
        self._folder, self._run, self._every = folder, run, every
        self._latest: int | None = None
        self._sound: int | None = None

    def save(self, epoch: int, *, sound: bool = True) -> None:
        """Save before an epoch; the last sound checkpoint stays, by number where `latest` is no longer it.

        Args:
            sound: the avatar shows the person, as far as that is known.

        Raises:
            CheckpointError: it cannot be written; the checkpoints are what they were.
        """
        names = [LATEST, str(epoch)] if epoch % self._every == 0 else [LATEST]
        keep = None if sound or self._sound is None or self._sound != self._latest else str(self._sound)
        save_checkpoint(self._folder, names, run_state(self._run, epoch), keep=keep)
        self._latest = epoch
        if sound:
            self._sound = epoch
        elif keep is not None:
            logger.warning(
                "the last epoch has made the avatar much worse; the checkpoint from before it is kept: --checkpoint %s",
                keep,
            )

    def way_back(self) -> str:
        """What to go on from after an error, in words; said of a checkpoint that has been read again, and is whole."""
        if self._sound is None:
            return "no checkpoint of this training is known to be good"
        name = LATEST if self._sound == self._latest else str(self._sound)
        try:
            check_content(read_checkpoint(self._folder, name, list(FOLDERS)))
        except CheckpointError as error:
            return f"the last good checkpoint cannot be used: {error}"
        option = "" if name == LATEST else f" --checkpoint {name}"
        return (
            f"the checkpoint `{name}`, from before epoch {self._sound + 1}, was read and is good: {ADVICE} and go on "
            f"with --is_continue{option}, from an earlier epoch N with --checkpoint N"
        )
