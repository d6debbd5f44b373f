"""The processes of one distributed training run: torchrun starts one per GPU."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed

from clear_gen.core import progress


@dataclass(frozen=True)
class Processes:
    """This process's rank among ``n``; without torchrun there is one."""

    rank: int = 0
    n: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """All-reduce ``tensor`` in place: the sum over all processes."""
        if self.n > 1:
            distributed.all_reduce(tensor)
        return tensor

    def share_buffers(self, model: torch.nn.Module) -> None:
        """Broadcast the first process's buffers: each process's running means cover only its own items."""
        if self.n > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)

    def wait(self) -> None:
        """Barrier: return once every process has reached this point."""
        if self.n > 1:
            distributed.barrier()

    def leave(self) -> None:
        """Shut down communication between the processes."""
        if self.n > 1:
            distributed.destroy_process_group()


def join_processes(device: torch.device) -> tuple[Processes, torch.device]:
    """Join the process group if torchrun started one; returns it and this process's device.

    Only the first process shows progress.
    """
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n == 1:
        return Processes(), device
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    rank = distributed.get_rank()
    if rank:
        progress.hide()
    if device.type == "cuda":
        device = torch.device("cuda", rank % torch.cuda.device_count())
    return Processes(rank, n), device
