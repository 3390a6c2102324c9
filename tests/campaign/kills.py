"""Kills and full disks: every rerun must end as an unbroken run, in all parts bit for bit, and leave nothing behind.

    python tests/campaign/kills.py [--kills 100] [--aimed 20] [--disks 10] [--seed 0]

A tiny training is killed at random moments, killed by itself between the operations of a save, and run on disks that
are too small; each is then run again to its end and compared with an unbroken run: the files of all checkpoints byte by
byte, the log's rows, and the names of all files. Disks are made with `mount -t tmpfs`, which needs the right to mount.
"""

import argparse
import contextlib
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS.parent / "code")]

import numpy as np  # noqa: E402
import torch  # noqa: E402

from imavatar.cli.exp_runner import exp_runner_main  # noqa: E402
from imavatar.head.assets import save_head  # noqa: E402
from imavatar.training import state  # noqa: E402
from imavatar.training.checkpoint_files import FOLDERS  # noqa: E402
from oracles_ellipsoid_head import ellipsoid_head  # noqa: E402
from oracles_subject import write_subject  # noqa: E402
from tiny_runs import write_config  # noqa: E402

EPOCHS = 4
SETTINGS = """
train {{ exps_folder = "{runs}", save_every = 2, preview_every = 2, optimize_camera = True, optimize_expression = True,
        num_pixels = 64 }}
"""
PATIENCE = 300.0
"""Seconds after which a run that has not ended counts as hanging."""
MEGABYTE = 1 << 20
LARGE_DISK = 256 * MEGABYTE
UNCOMPARED = ("tensorboard", "config.conf")
"""Event files are named after the time; the configuration holds the run's folder."""
TIMES = ("proxy_seconds",)
"""Columns of the log that measure time."""


@dataclass
class Tally:
    """What was tried and what went wrong."""

    tried: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, kind: str, problems: list[str], where: str) -> None:
        """Count one trial."""
        self.tried[kind] = self.tried.get(kind, 0) + 1
        self.failures += [f"{kind} {where}: {problem}" for problem in problems]


class Trials:
    """Runs of one tiny subject, each in its own folder below `root`, compared with an unbroken one."""

    def __init__(self, root: Path):
        self.root = root
        write_subject(root)
        save_head(root / "head.npz", ellipsoid_head())
        os.environ["IMAVATAR_ASSETS"] = str(root / "none")
        started = time.monotonic()
        code, said = run(self.arguments(root / "unbroken"))
        self.seconds = time.monotonic() - started
        if code != 0:
            raise RuntimeError(f"the unbroken run failed:\n{said}")
        self.expected = Outcome.of(root / "unbroken")

    def arguments(self, runs: Path) -> list[str]:
        """Of the command that trains into `runs`, from the beginning or from where it was broken off."""
        conf = Path(write_config(self.root, extra=SETTINGS.format(runs=runs)))
        own = conf.with_name(f"{runs.parent.name}-{runs.name}.conf")
        conf.rename(own)
        return ["--conf", str(own), "--nepoch", str(EPOCHS), "--is_continue"]

    def finish(self, runs: Path) -> list[str]:
        """Run to the end, and say how the outcome differs from the unbroken run's."""
        code, said = run(self.arguments(runs))
        if code != 0:
            return [f"the rerun ended with {code}: {said.strip().splitlines()[-1:]}"]
        return Outcome.of(runs).differences(self.expected)


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: bytes of its checkpoints' files, rows of its log, names of all its files."""

    checkpoints: dict[str, bytes]
    rows: list[dict[str, str]]
    names: set[str]

    @classmethod
    def of(cls, runs: Path) -> "Outcome":
        files = {path.relative_to(runs).as_posix(): path for path in runs.rglob("*") if path.is_file()}
        files = {name: path for name, path in files.items() if not any(part in name for part in UNCOMPARED)}
        log = next(path for name, path in files.items() if name.endswith("train.csv"))
        with log.open(newline="") as opened:
            rows = [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(opened)]
        checkpoints = {name: path.read_bytes() for name, path in files.items() if "/checkpoints/" in name}
        return cls(checkpoints, rows, set(files))

    def differences(self, expected: "Outcome") -> list[str]:
        """In words; none where all is equal."""
        found = [f"left behind: {name}" for name in sorted(self.names - expected.names)]
        found += [f"missing: {name}" for name in sorted(expected.names - self.names)]
        common = sorted(self.checkpoints.keys() & expected.checkpoints.keys())
        found += [f"not equal: {name}" for name in common if self.checkpoints[name] != expected.checkpoints[name]]
        if self.rows != expected.rows:
            steps = [row["step"] for row in self.rows]
            found.append(f"another log, of the steps {steps}")
        return found


def start(arguments: list[str], said: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Start the command in a forked process, which need not import anything; returns its number."""
    process = os.fork()
    if process:
        return process
    code = 1
    with contextlib.suppress(BaseException):
        os.setsid()
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        try:
            prepare()
            torch.manual_seed(0)
            np.random.seed(0)
            exp_runner_main(arguments)
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def wait(process: int) -> int:
    """The exit code of a process, negative for a signal."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    raise TimeoutError(f"process {process} did not end within {PATIENCE:.0f} s")


def run(arguments: list[str], prepare: Callable[[], None] = lambda: None) -> tuple[int, str]:
    """Exit code and output of the command."""
    with tempfile.NamedTemporaryFile() as said:
        code = wait(start(arguments, Path(said.name), prepare))
        return code, Path(said.name).read_text(errors="replace")


def random_kills(trials: Trials, n: int, generator: random.Random, tally: Tally) -> None:
    """Chains of one to three kills at random moments, each chain run to its end."""
    done = chain = 0
    while done < n:
        chain += 1
        runs = trials.root / f"random-{chain}"
        moments = []
        for _ in range(min(generator.randint(1, 3), n - done)):
            moments.append(generator.uniform(0, trials.seconds))
            with tempfile.NamedTemporaryFile() as said:
                process = start(trials.arguments(runs), Path(said.name))
                time.sleep(moments[-1])
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                wait(process)
            done += 1
            tally.tried["kills at random moments"] = done
        problems = trials.finish(runs)
        tally.add("chains", problems, f"{chain}, after kills at {', '.join(f'{m:.2f}' for m in moments)} s")
        shutil.rmtree(runs)
        report(f"{done} of {n} random kills", tally)


class Fuse:
    """Counts what a process does to the disk during its saves, and kills it before operation `last`."""

    def __init__(self, save: int, last: float):
        self.save, self.last = save, last
        self.saves = self.n = 0

    def light(self) -> None:
        """Put itself before `fsync`, `replace` and `unlink`, in this process."""
        real = state.save_checkpoint

        def save(*arguments, **options):
            self.saves += 1
            real(*arguments, **options)
            self.saves += 1

        state.save_checkpoint = save
        for name in ("fsync", "replace", "unlink"):
            setattr(os, name, self._before(getattr(os, name)))

    def _before(self, real):
        def operation(*arguments, **options):
            if self.saves == 2 * self.save + 1:
                self.n += 1
                if self.n == self.last:
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return operation


def aimed_kills(trials: Trials, n: int, tally: Tally) -> None:
    """Kills before operations that are spread evenly over the saves of the middle epochs."""
    for number in range(n):
        save = 1 + number % 2
        runs = trials.root / f"aimed-{number}"
        # Of a save under two names; under one it has about half as many.
        last = 1 + (number // 2) * (40 if save == 2 else 22) // max(1, (n + 1) // 2)
        code, said = run(trials.arguments(runs), Fuse(save, last).light)
        problems = [] if code == -signal.SIGKILL else [f"was not killed but ended with {code}: {said[-300:]}"]
        problems += trials.finish(runs)
        tally.add("kills inside of a save", problems, f"before operation {last} of save {save}")
        shutil.rmtree(runs)
    report(f"{n} aimed kills", tally)


@contextlib.contextmanager
def disk(place: Path, size: int) -> Iterator[None]:
    """A file system in memory of so many bytes."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)
        place.rmdir()


def full_disks(trials: Trials, n: int, tally: Tally) -> None:
    """Disks from far too small to almost large enough; then made larger, and run to the end."""
    needed = sum(path.stat().st_size for path in (trials.root / "unbroken").rglob("*") if path.is_file())
    for number in range(n):
        size = int(needed * (0.02 + 0.98 * number / n))
        place = trials.root / f"disk-{number}"
        with disk(place, size):
            code, said = run(trials.arguments(place / "runs"))
            problems = check_full(code, said, place)
            subprocess.run(["mount", "-o", f"remount,size={LARGE_DISK}", place], check=True)
            problems += trials.finish(place / "runs")
            tally.add("full disks", problems, f"of {size / MEGABYTE:.2f} MB")
    report(f"{n} full disks", tally)


def check_full(code: int, said: str, place: Path) -> list[str]:
    """What is wrong with how a run ended for lack of space."""
    from imavatar.files.atomic import is_temporary

    errors = [line for line in said.splitlines() if line.startswith("error:")]
    problems = []
    if code != 2 or len(errors) != 1 or "Traceback" in said:
        problems.append(f"ended with {code} and {len(errors)} messages: {said[-600:]}")
    elif "No space left" not in errors[0]:
        problems.append(f"does not say that the disk is full: {errors[0]}")
    left = [path for path in place.rglob("*") if path.is_file() and (is_temporary(path) or path.suffix == ".new")]
    return problems + [f"left behind: {path.relative_to(place)}" for path in left]


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return mounted.returncode == 0


def report(what: str, tally: Tally) -> None:
    """Progress."""
    print(f"{what}; {len(tally.failures)} failures", flush=True)


def campaign(root: Path, *, kills: int, aimed: int, disks: int, seed: int) -> Tally:
    """Try everything in an empty folder."""
    tally = Tally()
    trials = Trials(root)
    print(f"an unbroken run: {trials.seconds:.1f} s, {len(trials.expected.names)} files of {list(FOLDERS)} and others")
    random_kills(trials, kills, random.Random(seed), tally)
    aimed_kills(trials, aimed, tally)
    full_disks(trials, disks, tally)
    return tally


def main() -> None:
    """Try, print what failed, and end with 1 where something did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="at random moments (default: 100)")
    parser.add_argument("--aimed", type=int, default=20, help="inside of a save (default: 20)")
    parser.add_argument("--disks", type=int, default=10, help="that are too small (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (default: 0)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.disks and not can_mount():
        print("file systems cannot be mounted here: --disks is 0")
        args.disks = 0
    with tempfile.TemporaryDirectory() as folder:
        tally = campaign(Path(folder), kills=args.kills, aimed=args.aimed, disks=args.disks, seed=args.seed)
    for failure in tally.failures:
        print(failure)
    print(", ".join(f"{n} {kind}" for kind, n in tally.tried.items()), f"- {len(tally.failures)} failures")
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
