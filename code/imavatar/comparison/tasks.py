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

    Args:
        log: where a task's output goes, by its name.
        tell: told every outcome.
    """
    lock = threading.Lock()

    def run(task: Task) -> Outcome:
        outcome = _run(task, log(task.name), jobs)
        with lock:
            tell(outcome)
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(run, tasks))


def _run(task: Task, log: Path, jobs: int) -> Outcome:
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
            code = subprocess.run([sys.executable, *command], stdout=file, stderr=file, env=environment).returncode
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
