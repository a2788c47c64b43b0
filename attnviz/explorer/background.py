"""Work that follows when it is ready: in a thread where an event loop runs, else on demand."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
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


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of work.

    Arguments:
        name: What is being made, for the status.
        prepare: Called in the main thread when the job begins; returns the work, which is called
            in another thread with a function that says whether it is outdated.
        deliver: Takes the result, in the main thread.
        key: What the result depends on: a job of the same key need not begin again.
    """

    name: str
    prepare: Callable[[], Work[Any]]
    deliver: Callable[[Any], None]
    key: Hashable = field(default_factory=object)


class Background:
    """The jobs that are wanted, done one after the other.

    Arguments:
        changed: Called whenever what is busy changes.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._pending: list[Job] = []  # the running one among them, as long as it is wanted
        self._failed: dict[Hashable, str] = {}
        self._future: Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def busy(self) -> list[str]:
        """Names of the jobs that are not done."""
        return [job.name for job in self._pending]

    @property
    def error(self) -> str | None:
        """What went wrong with a job that is wanted, if anything did."""
        return next(iter(self._failed.values()), None)

    def restart(self, jobs: Sequence[Job]) -> None:
        """Says what is wanted now: what is so already goes on, the rest is forgotten."""
        known = {job.key: job for job in self._pending}
        keys = {job.key for job in jobs}
        # What failed would fail again.
        self._failed = {key: why for key, why in self._failed.items() if key in keys}
        wanted = [job for job in jobs if job.key not in self._failed]
        self._pending = [known.get(job.key, job) for job in wanted]
        if any(job.key not in known for job in wanted):
            self._wake()

    def wait(self) -> None:
        """Does all pending jobs now, in this thread."""
        try:
            while self._pending:
                self._do(self._pending[0])
        finally:
            self._changed()

    def finish(self, name: str) -> None:
        """Does the pending job of a name now, in this thread; the others stay pending."""
        job = next((one for one in self._pending if one.name == name), None)
        if job is None:
            return
        try:
            self._do(job)
        except Exception as failure:  # what is shown already stays
            self._failed[job.key] = f"{job.name}: {failure}"
        if self._pending:
            self._wake()
        self._changed()

    def close(self) -> None:
        """Forgets everything and ends the thread."""
        self.restart([])
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _do(self, job: Job) -> None:
        self._pending.remove(job)
        if self._future is not None:  # it may read with the same copy of a model
            concurrent.futures.wait([self._future])
        job.deliver(job.prepare()(lambda: False))

    def _wake(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # no one to call back: `wait` does the work
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(_QUIET_SECONDS, self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._future is not None or not self._pending:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="attnviz-explorer")
        job = self._pending[0]
        try:
            work = job.prepare()
        except Exception as failure:  # of a model that cannot be copied, say
            self._conclude(loop, job, failure)
            return
        self._future = self._pool.submit(work, lambda: job not in self._pending)
        self._future.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._end, loop, job, done)
        )

    def _end(self, loop: asyncio.AbstractEventLoop, job: Job, done: "Future[Any]") -> None:
        self._future, failure = None, None
        if job in self._pending:
            try:
                job.deliver(done.result())
            except Exception as found:
                failure = found
        self._conclude(loop, job, failure)

    def _conclude(
        self, loop: asyncio.AbstractEventLoop, job: Job, failure: Exception | None
    ) -> None:
        """Tells of a job that is done, unless nobody wants it, and begins the next."""
        if job in self._pending:
            self._pending.remove(job)
            if failure is not None:
                self._failed[job.key] = f"{job.name}: {failure}"
            self._changed()
        if self._timer is None:
            self._begin(loop)
