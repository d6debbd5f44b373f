"""The processes of one training: torchrun starts one for each GPU."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed


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
        """The sum of every process's ``tensor``, which is overwritten."""
        if self.n > 1:
            distributed.all_reduce(tensor)
        return tensor

    def share_buffers(self, model: torch.nn.Module) -> None:
        """Give all processes the first one's buffers: running means are of each one's own items."""
        if self.n > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)

    def wait(self) -> None:
        """Return once every process has come here."""
        if self.n > 1:
            distributed.barrier()

    def leave(self) -> None:
        """End the communication, before the program ends."""
        if self.n > 1:
            distributed.destroy_process_group()


def join_processes(device: torch.device) -> tuple[Processes, torch.device]:
    """Join the other processes that torchrun has started, if it has; returns them and the device of this one."""
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n == 1:
        return Processes(), device
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    rank = distributed.get_rank()
    if device.type == "cuda":
        device = torch.device("cuda", rank % torch.cuda.device_count())
    return Processes(rank, n), device
