"""Run by the tests in several processes: the gradients of one step, with the rays shared out among them.

Arguments: configuration, frames of the step by commas, file of the gradients.
"""

import os
import sys
from contextlib import suppress
from dataclasses import fields

import torch

from imavatar import build
from imavatar.config import load_config
from imavatar.training.distributed import join_processes, leave_processes
from imavatar.training.step import StepLosses, training_step
from imavatar.types import Batch, TensorRecord


class Kept(Exception):
    """Ends a step before its optimisers change anything."""


def gradients_of_a_step(conf: str, frames: list[int]) -> dict[str, torch.Tensor]:
    """Gradients by the name of their parameter, those of frames dense."""
    processes = join_processes()
    config = load_config(conf)
    torch.manual_seed(config.train.seed + processes.rank)
    dataset = build.build_dataset(config, "train")
    head = build.build_head_assets(config)
    flame = build.build_flame(config, head, dataset.shape_params)
    run = build.build_run(config, build.build_avatar(config, flame), flame, dataset, torch.device("cpu"), processes)
    for module in (run.avatar, run.frames, run.flame):
        module.double()  # the order of sums, which is another, does not count then
    objective = build.build_objective(config, build.build_head_surface(flame, head))
    losses = processes.wrap_ddp(StepLosses(run.avatar, objective, processes))
    generator = torch.Generator().manual_seed(1)
    batch = in_double_precision(dataset.batch(frames, config.train.num_pixels, generator))

    def keep(*_):
        raise Kept

    run.optimiser.step = keep
    with suppress(Kept):
        training_step(run, losses, batch, build.build_schedule(config).weights, generator)
    named = [*run.avatar.named_parameters(), *run.frames.named_parameters()]
    found = {name: p.grad.to_dense() for name, p in named if p.grad is not None}
    # What holds on to the group of processes: its threads would still run when this one ends.
    del losses
    leave_processes()
    return found if processes.is_main else {}


def in_double_precision(batch: Batch) -> Batch:
    """All that is no index or mask."""
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return Batch(**{name: _double(value) for name, value in values.items()})


def _double(value):
    if isinstance(value, TensorRecord):
        return value.to(dtype=torch.float64)
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


if __name__ == "__main__":
    gradients = gradients_of_a_step(sys.argv[1], [int(frame) for frame in sys.argv[2].split(",")])
    if gradients:
        torch.save(gradients, sys.argv[3])
    # At once: at the interpreter's end a thread of torch's process groups sometimes aborts the process.
    os._exit(0)
