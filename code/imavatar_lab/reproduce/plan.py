"""What a comparison consists of: subjects, methods, budget; and where its parts lie."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from imavatar.errors import ConfigError
from imavatar.files.atomic import write_text
from imavatar.synthetic.sequences import EXTRAPOLATION, INTERPOLATION, TRAIN, VALIDATION, VIEWS

STEPS_A_MINUTE = 240
"""A minute of the budget, as steps: what IMavatar's small networks make in one on two CPU cores. All methods make as
many steps, so that what they reach does not depend on the machine."""

TESTS = (INTERPOLATION, EXTRAPOLATION, VIEWS)
PROTOCOLS = ("paper", "foreground", "no-cloth")
"""Of the evaluation, under which every run is scored."""


@dataclass(frozen=True)
class Method:
    """A method of the comparison: how it is called in tables, and its configuration in `confs/baselines`."""

    name: str
    label: str

    @property
    def conf(self) -> str:
        """File name of its configuration."""
        return f"{self.name}.conf"


TEXTURED_HEAD_NAME = "flame_mesh"

METHODS = (
    Method("imavatar", "IMavatar"),
    Method("imavatar_unsupervised", "IMavatar, no FLAME loss"),
    Method("fwd_skin", "Fwd-Skin"),
    Method("b_morph", "B-Morph"),
    Method("d_net", "D-Net"),
    Method("c_net", "C-Net"),
    Method(TEXTURED_HEAD_NAME, "FLAME mesh + texture"),
)


@dataclass(frozen=True)
class Budget:
    """Sizes of a comparison.

    Args:
        minutes: of training for each method, as STEPS_A_MINUTE.
        supersample: rays along each side of a pixel in test renderings.
        samples: light paths a pixel in the data's renderings.
    """

    subjects: int
    minutes: float
    size: int
    frames: dict[str, int]
    supersample: int = 3
    samples: int = 32
    seed: int = 0

    @property
    def epochs(self) -> int:
        """Passes over the training frames that make up the minutes."""
        return max(1, round(self.minutes * STEPS_A_MINUTE / self.frames[TRAIN]))

    @property
    def steps(self) -> int:
        """Steps of every learned method, of one frame each."""
        return self.epochs * self.frames[TRAIN]


OVERNIGHT = Budget(3, 15, 128, {TRAIN: 300, VALIDATION: 50, INTERPOLATION: 50, EXTRAPOLATION: 100, VIEWS: 40})
SMALL = Budget(2, 5, 128, {TRAIN: 80, VALIDATION: 10, INTERPOLATION: 20, EXTRAPOLATION: 40, VIEWS: 12}, supersample=1)


@dataclass(frozen=True)
class Paths:
    """Every path of a comparison."""

    root: Path

    @property
    def data(self) -> Path:
        """The data set."""
        return self.root / "data"

    def conf(self, subject: str, method: str) -> Path:
        """Configuration of a run."""
        return self.root / "confs" / f"{subject}_{method}.conf"

    def run(self, subject: str, method: str) -> Path:
        """Folder of a run."""
        return self.root / "runs" / subject / method / TRAIN

    def evaluation(self, budget: "Budget", subject: str, method: Method, sequence: str) -> Path:
        """Scores and pictures of a run's last epoch on a test sequence; the textured head has one epoch."""
        epoch = 1 if method.name == TEXTURED_HEAD_NAME else budget.epochs
        return self.run(subject, method.name) / "eval" / sequence / f"epoch_{epoch}"

    def log(self, task: str) -> Path:
        """What a task printed."""
        return self.root / "logs" / f"{task}.log"

    @property
    def commits(self) -> Path:
        """The commits of the project that parts were made with, a line each."""
        return self.root / "commits.txt"

    @property
    def budget(self) -> Path:
        """The file that says with which budget the folder was begun."""
        return self.root / "budget.json"


def subjects_of(budget: Budget) -> list[str]:
    """Names of the subjects, as `make_synthetic.py` gives them."""
    return [f"subject_{k:02d}" for k in range(budget.subjects)]


def note_commit(paths: Paths, commit: str) -> str:
    """Note the commit that takes part from now on; returns all that have, in order."""
    known = _text(paths.commits).split("\n") if paths.commits.exists() else []
    if commit not in known:
        known.append(commit)
        write_text(paths.commits, "\n".join(known))
    return ", ".join(known)


def note_budget(paths: Paths, budget: Budget) -> None:
    """Note the budget that the folder is begun with from now on."""
    paths.root.mkdir(parents=True, exist_ok=True)
    write_text(paths.budget, json.dumps(asdict(budget), indent=1))


def check_budget(paths: Paths, budget: Budget) -> None:
    """See that the budget is the one that the folder was begun with, if it was.

    Raises:
        ConfigError: the folder holds a comparison of another budget, or what says so is damaged.
    """
    wanted = json.loads(json.dumps(asdict(budget)))
    if paths.budget.exists():
        try:
            found = json.loads(_text(paths.budget))
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{paths.budget}: is no JSON file: {error}") from error
        if not isinstance(found, dict):
            raise ConfigError(f"{paths.budget}: holds {type(found).__name__}, expected a budget's names and values")
        if found != wanted:
            names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
            differences = "; ".join(f"{n} was {found.get(n)!r}, now {wanted.get(n)!r}" for n in names)
            raise ConfigError(f"{paths.budget}: begun with another budget ({differences}); use another --out")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not text ({error.reason} at byte {error.start})") from error


def write_conf(paths: Paths, budget: Budget, subject: str, method: Method, baselines: Path) -> Path:
    """The configuration of one run: the method's own, with the data, the schedule and the sizes of the budget."""
    n = budget.epochs
    milestones = sorted({max(1, round(share * n / 6)) for share in range(1, 6)})
    text = f'''include "{baselines / method.conf}"
train {{
    exps_folder = "{paths.root / "runs"}"
    nepoch = {n}
    alpha_milestones = {milestones}
    save_every = {n}
    preview_every = 0
}}
plot.supersample = {budget.supersample}
dataset {{
    data_folder = "{paths.data}"
    subject_name = {subject}
    train {{
        sub_dir = [{TRAIN}]
        img_res = [{budget.size}, {budget.size}]
    }}
    test {{
        sub_dir = [{", ".join(TESTS)}]
        img_res = [{budget.size}, {budget.size}]
    }}
}}
'''
    path = paths.conf(subject, method.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != text.encode("utf-8"):
        write_text(path, text)
    return path
