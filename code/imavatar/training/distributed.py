"""Several processes that train one avatar: each takes a part of every step's rays, and all make the same step."""

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
import torch.distributed as dist
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from imavatar.types import Batch

TIMEOUT = timedelta(hours=1)
"""How long a process waits for another: the first one's warm start or preview may take minutes."""


@dataclass(frozen=True)
class Processes:
    """This process among all of a run; alone without arguments.

    What a method sends to others must be called by all of them, in the same order.
    """

    rank: int = 0
    n: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    @property
    def shard(self) -> slice:
        """This process's part of rows that all processes have."""
        return slice(self.rank, None, self.n)

    def shard_rays(self, batch: Batch) -> Batch:
        """This process's part of a step's rays: whole frames where they can be shared out evenly, else every n-th ray.

        Every frame stays in the batch, with or without rays.
        """
        if self.n == 1:
            return batch
        rows = self.rows_of(len(batch.frame), batch.rays_frame)
        of_rays = {name: getattr(batch, name) for name in ("pixels", "rays_frame", "rgb", "foreground", "semantics")}
        return replace(batch, **{name: value[rows] for name, value in of_rays.items() if value is not None})

    def rows_of(self, n_frames: int, rays_frame: Int[Tensor, " n"]) -> Int[Tensor, " m"]:
        """Which rays are this process's, by the frame of each."""
        if n_frames % self.n == 0:
            return (rays_frame % self.n == self.rank).nonzero()[:, 0]
        return torch.arange(len(rays_frame), device=rays_frame.device)[self.shard]

    def mean_count(self, number: int) -> float:
        """The mean of a number over the processes; see `losses`."""
        if self.n == 1:
            return float(number)
        return float(self.mean(torch.tensor(float(number), dtype=torch.float64)))

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over the processes, on every one."""
        if self.n == 1:
            return values
        total = values.detach().clone().to("cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(total)
        return (total / self.n).to(values)

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over the processes, on every one."""
        return self.mean(values) * self.n

    def mean_sparse_gradients(self, tables: Iterable[nn.Parameter], rows: Tensor) -> None:
        """Give tables of frames the mean of their gradients, which are sparse and only at `rows`."""
        if self.n == 1:
            return
        for table in tables:
            dense = torch.zeros_like(table[rows])
            if table.grad is not None:
                gradient = table.grad.coalesce()
                position = {int(row): i for i, row in enumerate(rows)}
                index = torch.tensor([position[int(row)] for row in gradient.indices()[0]], device=rows.device)
                dense = dense.index_add(0, index.long(), gradient.values())
            table.grad = torch.sparse_coo_tensor(rows[None], self.mean(dense), table.shape)

    def wrap_ddp(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are the means over the processes, and whose weights become those of the first."""
        return module if self.n == 1 else DistributedDataParallel(module)

    def wait(self) -> None:
        """Until every process is here."""
        if self.n > 1:
            dist.barrier()


SINGLE_PROCESS = Processes()
"""A run of one process."""


def join_processes() -> Processes:
    """The processes that `torchrun` has started; a single one where it has not.

    Only the first one logs: what the others would say is the same.
    """
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n == 1:
        return SINGLE_PROCESS
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
    processes = Processes(dist.get_rank(), n)
    if not processes.is_main:
        logging.getLogger("imavatar").setLevel(logging.ERROR)
    return processes


def leave_processes() -> None:
    """End what `join_processes` has begun."""
    if dist.is_initialized():
        dist.destroy_process_group()
