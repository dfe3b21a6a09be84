"""Writing a run's files beside the work, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class Writer:
    """One thread that writes files one after another; a context that ends when all are written.

    What is written must be the task's own: tensors that training goes on with are copied first.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._tasks: list[Future[None]] = []

    def submit(self, task: Callable[[], None]) -> None:
        """Have `task` run after those before it, once they are done; more than one waiting would only take memory.

        Raises:
            SdeditError: what an earlier task has raised.
        """
        self.wait()
        self._tasks.append(self._thread.submit(task))

    def wait(self) -> None:
        """Return when all tasks are done.

        Raises:
            SdeditError: what one of them has raised.
        """
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.result()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if error is None:
            self.wait()
