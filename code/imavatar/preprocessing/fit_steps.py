"""Steps towards the least loss of a fit."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from imavatar.preprocessing.fit_problem import FitProblem
from imavatar.preprocessing.fit_unknowns import Unknowns

logger = logging.getLogger(__name__)

RIGID_STEPS = 80
"""Of a fit in which the head at rest is moved only."""
LEARNING_RATES = {
    "shape": 0.05,
    "expression": 0.05,
    "lids": 0.03,
    "rotation": 0.005,
    "lean": 0.003,
    "neck": 0.005,
    "jaw": 0.01,
    "gaze": 0.01,
    "iris_bias": 0.001,
    "image_position": 0.005,
    "log_focal": 0.01,
    "depth_offset": 0.02,
}
RIGID = ("rotation", "neck", "image_position")


def moving_of(problem: FitProblem) -> list[str]:
    """What is optimised: all but a focal length that is known, and how the body leans where nothing says so."""
    still = {"log_focal"} if problem.lens.known else set()
    if problem.torso is None:
        still.add("lean")
    return [name for name in LEARNING_RATES if name not in still]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """The tensors are small: more threads gain little, and on a busy machine they wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def minimise(
    problem: FitProblem, unknowns: Unknowns, names: Sequence[str], steps: int, stepped: Callable[[], object]
) -> Unknowns:
    """Adam with a learning rate that falls to a tenth; only the named unknowns move."""
    moving = {n: getattr(unknowns, n).detach().clone().requires_grad_(True) for n in names}
    unknowns = replace(unknowns, **moving)
    optimiser = torch.optim.Adam([{"params": [moving[n]], "lr": LEARNING_RATES[n]} for n in names])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 1 - 0.9 * k / steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = problem.loss(unknowns)
        loss.backward()
        optimiser.step()
        schedule.step()
        stepped()
    logger.debug("fit of %s: loss %.4f after %d steps", ", ".join(names), float(loss.detach()), steps)
    return replace(unknowns, **{name: value.detach() for name, value in moving.items()})
