"""The comparison as a workflow of Snakemake: what it consists of, and how it is run."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path

from imavatar.errors import ImavatarError
from imavatar.files.atomic import write_text
from imavatar.files.lifeline import Lifeline
from imavatar_lab.reproduce.plan import METHODS, PROTOCOLS, TESTS, TEXTURED_HEAD_NAME, Budget, Paths, subjects_of

PYTHON = shlex.quote(sys.executable)
FILE = "comparison.json"
LIFELINE = ".lifeline"
PATIENCE_SECONDS = 60.0
"""How long a workflow that is to end may take for it."""


@dataclass(frozen=True)
class Comparison:
    """What is compared, as `comparison.json` in the results folder says.

    Attributes:
        methods: names of the methods, in the order of tables.
        jobs: runs beside each other, on this machine.
        threads: of each run.
        facts: what the report says about the comparison, in its order; `command` is what made it.
        problems: what has failed; with any, tables and report are made of the runs that there are.
        started: when, in seconds since 1970; 0 if nobody has noted it.
    """

    budget: Budget
    methods: tuple[str, ...]
    jobs: int = 1
    threads: int = 1
    facts: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    started: float = 0.0

    @classmethod
    def read(cls, root: Path) -> "Comparison":
        """The comparison of a results folder.

        Raises:
            ImavatarError: the file is not there, or is none.
        """
        path = root / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content["budget"] = Budget(**content["budget"])
            return cls(**{**content, "methods": tuple(content["methods"]), "problems": tuple(content["problems"])})
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise ImavatarError(f"{path}: is no comparison ({error}); scripts/reproduce.sh writes it") from error

    def write(self, root: Path) -> None:
        """Write it to its file."""
        write_text(root / FILE, json.dumps(asdict(self), indent=1))

    def until(self, now: float) -> "Comparison":
        """With the minutes since its start among the facts."""
        took = {"this call took": f"{(now - self.started) / 60:.0f} minutes"} if self.started else {}
        return replace(self, facts=self.facts | took)

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects."""
        return subjects_of(self.budget)

    def data_options(self) -> str:
        """Arguments of the command that renders the data."""
        budget = self.budget
        frames = ",".join(f"{name}={n}" for name, n in budget.frames.items())
        sizes = {"subjects": budget.subjects, "size": budget.size, "samples": budget.samples, "seed": budget.seed}
        return " ".join([*(f"--{name} {value}" for name, value in sizes.items()), f"--frames {frames}"])

    def evaluation_options(self) -> str:
        """Arguments of the command that scores a run."""
        return " ".join(["--images", *(f"--protocol {name}" for name in PROTOCOLS)])

    def score_files(self, subject: str, method: str, epoch: str | int) -> list[str]:
        """The scores of a run, below the results folder."""
        folder = f"runs/{subject}/{method}/train/eval"
        return [f"{folder}/{s}/epoch_{epoch}/protocol_{p}.json" for s in TESTS for p in PROTOCOLS]

    def scores_of(self, subject: str, method: str) -> list[str]:
        """The scores of a run's last epoch; the textured head has one epoch."""
        return self.score_files(subject, method, 1 if method == TEXTURED_HEAD_NAME else self.budget.epochs)

    def runs(self) -> list[tuple[str, str]]:
        """Subject and method of all runs."""
        return [(subject, method) for subject in self.subjects for method in self.methods]

    def wanted_scores(self) -> list[str]:
        """What tables are made of: all scores, or once something has failed those that there are."""
        files = [file for run in self.runs() for file in self.scores_of(*run)]
        return [file for file in files if Path(file).is_file()] if self.problems else files


def missing_runs(comparison: Comparison, root: Path) -> list[tuple[str, str]]:
    """Subject and method of the runs without all scores."""
    return [run for run in comparison.runs() if not all((root / file).is_file() for file in comparison.scores_of(*run))]


def describe_failure(paths: Paths, subject: str, method: str) -> str:
    """The last line that says something in the newest log of a run."""
    own = paths.log(f"{subject}_{method}")
    # Not any name that begins so: one method's name may begin with another's.
    logs = [own, *own.parent.glob(f"{own.stem}_epoch_*.log")]
    logs = sorted((log for log in logs if log.is_file()), key=lambda log: log.stat().st_mtime)
    return end_of_log(logs[-1]) if logs else "it was not begun"


def end_of_log(log: Path) -> str:
    """The last line that says something, and where it stands."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{lines[-1] if lines else 'no output'}; see {log}"


def run_workflow(root: Path, *, cores: int, targets: Sequence[str] = (), more: Iterable[str] = ()) -> int:
    """Run Snakemake on a results folder, which holds `comparison.json`; returns its exit code.

    What ends this early, as Ctrl-C or a signal, ends the commands too, and waits for them: they clean up. The caller
    holds the folder's lock, so that Snakemake's own, which a killed process leaves behind, is not needed.

    Args:
        cores: of this machine that are used at most.
        targets: files or rules to make; the report by default.
        more: further arguments of Snakemake; `--profile` or `--executor` among them may run the parts elsewhere.
    """
    more = list(more)
    elsewhere = any(argument.split("=")[0] in ("--profile", "--executor") for argument in more)
    with resources.as_file(resources.files("imavatar_lab.reproduce").joinpath("Snakefile")) as snakefile:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--directory", str(root)]
        command += ["--keep-going", "--rerun-incomplete", "--nolock", "--rerun-triggers", "mtime"]
        command += ["--quiet", "host", "rules"]
        command += ([] if elsewhere else ["--cores", str(cores)]) + more
        lifeline = Lifeline(root / LIFELINE)
        environment = os.environ | ({} if elsewhere else lifeline.environment)
        process = subprocess.Popen([*command, "--", *targets] if targets else command, env=environment)
        try:
            return process.wait()
        finally:
            lifeline.cut()
            if process.poll() is None:
                _end(process)


def _end(process: subprocess.Popen) -> None:
    """Let Snakemake end, whose jobs are ending; at last by force."""
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def all_methods() -> list[str]:
    """Names of the methods in the order of tables."""
    return [method.name for method in METHODS]
