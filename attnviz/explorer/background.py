"""Work that follows when it is ready: in a thread where an event loop runs, else on demand."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Background", "Job", "Outdated", "Stale", "Work"]

# Keys are pressed faster than gradients are computed: work begins once it is quiet.
_QUIET_SECONDS = 0.35

Stale = Callable[[], bool]
"""Says whether nobody waits for a result any more."""

T = TypeVar("T")
Work = Callable[[Stale], T]


class Outdated(Exception):  # noqa: N818 - says what it is: nobody waits for the result any more
    """Raised by work that finds that nobody waits for its result."""


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Arguments:
        name: What is being made, for the status.
        prepare: Called in the main thread when the job begins; returns the work, which is called
            in another thread with a function that says whether it is outdated.
        deliver: Takes the result, in the main thread.
    """

    name: str
    prepare: Callable[[], Work[Any]]
    deliver: Callable[[Any], None]


class Background:
    """A queue of jobs of which only the latest set counts.

    Arguments:
        changed: Called whenever what is busy changes.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._pending: list[Job] = []
        self._generation = 0
        self._pool: ThreadPoolExecutor | None = None
        self.error: str | None = None

    @property
    def busy(self) -> list[str]:
        """Names of the jobs that are not done."""
        return [job.name for job in self._pending]

    def restart(self, jobs: Sequence[Job]) -> None:
        """Forgets what is pending or running and takes other jobs."""
        self._generation += 1
        self._pending, self.error = list(jobs), None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # no one to call back: `wait` does the work
        if jobs:
            loop.call_later(_QUIET_SECONDS, self._begin, loop, self._generation)

    def wait(self) -> None:
        """Does all pending jobs now, in this thread."""
        self._generation += 1
        try:
            while self._pending:
                job = self._pending.pop(0)
                job.deliver(job.prepare()(lambda: False))
        finally:
            self._changed()

    def finish(self, name: str) -> None:
        """Does the pending job of a name now, in this thread; the others stay pending."""
        job = next((one for one in self._pending if one.name == name), None)
        if job is None:
            return
        others = [one for one in self._pending if one is not job]
        self.restart([])
        error = None
        try:
            job.deliver(job.prepare()(lambda: False))
        except Exception as failure:  # what is shown already stays
            error = f"{job.name}: {failure}"
        self.restart(others)
        self.error = error
        self._changed()

    def close(self) -> None:
        """Forgets everything and ends the thread."""
        self.restart([])
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _begin(self, loop: asyncio.AbstractEventLoop, generation: int) -> None:
        if generation != self._generation or not self._pending:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="attnviz-explorer")
        try:
            work = self._pending[0].prepare()
        except Exception as failure:  # of a model that cannot be copied, say
            self._next(loop, generation, self._pending.pop(0), failure)
            return
        future = self._pool.submit(work, lambda: generation != self._generation)
        future.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._end, loop, generation, done)
        )

    def _end(self, loop: asyncio.AbstractEventLoop, generation: int, done: "Future[Any]") -> None:
        if generation != self._generation:
            return
        job, failure = self._pending.pop(0), None
        try:
            job.deliver(done.result())
        except Exception as found:
            failure = found
        self._next(loop, generation, job, failure)

    def _next(
        self, loop: asyncio.AbstractEventLoop, generation: int, job: Job, failure: Exception | None
    ) -> None:
        if failure is not None:
            self.error = f"{job.name}: {failure}"
        self._changed()
        self._begin(loop, generation)
