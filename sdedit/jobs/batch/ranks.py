"""Sharing a job among processes: which one this is, and which windows of the list it takes.

Every process makes the same list and cuts it into the same windows, so that an image is the same whoever paints it.
Under torchrun the processes draw windows from a counter in torchrun's own store, and fast ones draw more. Elsewhere
process i of n takes every n-th window. No process ever waits for another one to go on: one that dies leaves its
windows to torchrun's restart or to the next run, which skip what is done. Only the end is waited for, by rank 0 of
torchrun, which tells what became of all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdedit.errors import SdeditError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

_POLL = 0.2  # seconds


@dataclass(frozen=True)
class Rank:
    """Process `index` of `count`, number `local` on its machine.

    `torchrun` says that torchrun keeps a store, `attempt` how often it has restarted its processes, and `told_by` who
    says that there are so many.
    """

    index: int = 0
    count: int = 1
    local: int | None = None
    torchrun: bool = False
    attempt: str = "0"
    told_by: str = field(default="", compare=False)

    def device(self, name: str) -> str:
        """The device of this process: of several GPUs, each process of a machine takes its own."""
        if self.local is None or name not in ("auto", "cuda"):
            return name
        import torch

        devices = torch.cuda.device_count()
        return f"cuda:{self.local % devices}" if devices else name


def find_rank(
    environment: Mapping[str, str],
    shard: tuple[int, int] | None = None,
    remedy: str = "use --shard i/n instead",
) -> Rank:
    """The rank of this process: an explicit share, or what torchrun, Slurm or Kubernetes say.

    Of Slurm only tasks that srun started count: a batch script has the variables of task 0, and is alone. Kubernetes
    gives an indexed job its number (JOB_COMPLETION_INDEX), and not how many there are: that is WORLD_SIZE.

    Raises:
        SdeditError: if the variables contradict each other; `remedy` is what it says to do.
    """
    if shard is not None:
        return Rank(shard[0] % shard[1], shard[1], told_by="--shard")
    number, count, local = None, None, None
    told_by = "the environment"
    torchrun, attempt = False, environment.get("TORCHELASTIC_RESTART_COUNT", "0")
    if "RANK" in environment and "WORLD_SIZE" in environment:
        number, count, local = environment["RANK"], environment["WORLD_SIZE"], environment.get("LOCAL_RANK")
        torchrun = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    elif "SLURM_PROCID" in environment and ("SLURM_JOB_ID" not in environment or "SLURM_STEP_ID" in environment):
        number, local = environment["SLURM_PROCID"], environment.get("SLURM_LOCALID")
        count = environment.get("SLURM_STEP_NUM_TASKS", environment.get("SLURM_NTASKS", "1"))
        told_by = "Slurm"
    elif "JOB_COMPLETION_INDEX" in environment and "WORLD_SIZE" in environment:
        number, count = environment["JOB_COMPLETION_INDEX"], environment["WORLD_SIZE"]
    if number is None or count is None:
        return Rank()
    try:
        rank = Rank(int(number), int(count), None if local is None else int(local), torchrun, attempt, told_by)
    except ValueError:
        rank = Rank(-1)
    if not 0 <= rank.index < rank.count:
        raise SdeditError(f"the environment says that this is process {number} of {count}; {remedy}")
    return rank


class Share:
    """The windows of a list that one rank takes."""

    def __init__(self, rank: Rank, digest: str, say: Callable[[str], object]) -> None:
        """Join the others; `digest` is the same for ranks with the same list."""
        self._rank = rank
        self._say = say
        self._store: Store | None = None
        # torchrun's store outlives a restart, with as many processes or others; the windows are then drawn anew.
        self._key = f"sdedit/{digest}/{rank.attempt}/{rank.count}"
        if rank.torchrun:
            from torch.distributed.rendezvous import rendezvous

            try:
                self._store, _, _ = next(rendezvous("env://", rank.index, rank.count))
            except (RuntimeError, ValueError) as error:
                self._lost(error)

    def windows(self, count: int) -> Iterator[int]:
        """Numbers in [0, count), each drawn by one rank as long as the store answers."""
        while self._store is not None:
            try:
                number = self._store.add(f"{self._key}/drawn", 1) - 1
            except RuntimeError as error:
                self._lost(error)
                break
            if number >= count:
                return
            yield number
        yield from range(self._rank.index, count, self._rank.count)

    def finish(self, failed: bool, counts: Mapping[str, int] | None = None) -> dict[str, int] | None:
        """Say that this rank is done. One with failures waits until all are: torchrun ends them with the first
        that has an exit code above 0. So does rank 0, which tells what became of the whole job.

        Args:
            failed: whether this rank has failures.
            counts: how many images of this rank came to which end.

        Returns:
            The counts of all ranks together, to rank 0; None to others, and where no store tells them.
        """
        if self._store is None:
            return None
        counts = counts or {}
        first = self._rank.index == 0
        try:
            for name, count in counts.items():
                self._store.add(f"{self._key}/{name}", count)
            finished = self._store.add(f"{self._key}/finished", 1)
            while (failed or first) and finished < self._rank.count:
                time.sleep(_POLL)
                finished = self._store.add(f"{self._key}/finished", 0)
            return {name: self._store.add(f"{self._key}/{name}", 0) for name in counts} if first else None
        except RuntimeError:  # the store ends with the first rank's machine, when all is done
            return None

    def _lost(self, error: Exception) -> None:
        self._store = None
        self._say(
            f"torchrun's store does not answer ({str(error).splitlines()[0][:200]}); "
            f"process {self._rank.index} goes on with every {self._rank.count}th window of the list"
        )
