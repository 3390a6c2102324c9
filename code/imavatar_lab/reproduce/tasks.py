"""Commands that run beside each other, each with its log; one that fails is noted, and the others go on."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from imavatar.files.lifeline import Lifeline

PATIENCE_SECONDS = 60.0
"""How long commands that are to end may take for it."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """Commands one after the other, as arguments of Python; `is_done` says whether there is anything left to do."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    is_done: Callable[[], bool]


@dataclass(frozen=True)
class Outcome:
    """How a task ended: `done`, `kept` (it was done before), or `failed` with the end of its log."""

    name: str
    state: str
    seconds: float = 0.0
    message: str = ""


def run_tasks(
    tasks: Sequence[Task], log: Callable[[str], Path], *, jobs: int, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run tasks, `jobs` at a time with one thread each; with a single job with as many as there are.

    What ends this early, as Ctrl-C or a signal, ends the commands too, and waits for them: they clean up.

    Args:
        log: where a task's output goes, by its name.
        tell: told every outcome.
    """
    lock, commands = threading.Lock(), _Commands()

    def run(task: Task) -> Outcome:
        outcome = _run(task, log(task.name), jobs, commands)
        with lock:
            if not commands.stopping:
                tell(outcome)
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        try:
            return list(pool.map(run, tasks))
        finally:
            # Where all are done there is nothing left to stop.
            commands.stop()


class _Commands:
    """The commands that are running, which end when this process does."""

    def __init__(self):
        self.stopping = False
        self._lifeline = Lifeline()
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen] = set()

    def run(self, arguments: Sequence[str], output: IO[str], environment: dict[str, str]) -> int | None:
        """Run a command to its end; returns its exit code, None where none is to begin any more."""
        with self._lock:
            if self.stopping:
                return None
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=output,
                stderr=output,
                env={**environment, **self._lifeline.environment},
                pass_fds=(self._lifeline.descriptor,),
            )
            self._running.add(process)
        code = process.wait()
        with self._lock:
            self._running.discard(process)
        return code

    def stop(self) -> None:
        """Let all commands end, at last by force, and let none begin."""
        with self._lock:
            self.stopping, running = True, list(self._running)
        self._lifeline.cut()
        end = time.monotonic() + PATIENCE_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def _run(task: Task, log: Path, jobs: int, commands: _Commands) -> Outcome:
    if task.is_done():
        return Outcome(task.name, "kept")
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if jobs > 1:
        environment.update(dict.fromkeys(THREADS, "1"))
    started = time.monotonic()
    for command in task.commands:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ python {' '.join(command)}\n")
            file.flush()
            code = commands.run(command, file, environment)
        if code is None:
            return Outcome(task.name, "failed", time.monotonic() - started, "stopped before it began")
        if code != 0:
            return Outcome(task.name, "failed", time.monotonic() - started, f"exit code {code}: {_end(log)}; see {log}")
    seconds = time.monotonic() - started
    if not task.is_done():
        return Outcome(task.name, "failed", seconds, f"it left nothing behind; see {log}")
    return Outcome(task.name, "done", seconds)


def _end(log: Path) -> str:
    """The last line that says something."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"
