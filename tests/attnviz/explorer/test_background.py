import asyncio
import threading
import time

import pytest

from attnviz.explorer import background
from attnviz.explorer.background import Background, Job, Outdated

LONG = 5.0


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(background, "_QUIET_SECONDS", 0.02)


class Told:
    """What was called, by whom."""

    def __init__(self):
        self.said, self.threads, self.changes = [], {}, 0
        self.background = Background(self.changed)

    def changed(self):
        self.changes += 1
        self.threads["changed"] = threading.current_thread()

    def job(self, name, work=None):
        """A job that hands its name over, or runs some work first."""

        def prepare():
            self.threads[f"prepare {name}"] = threading.current_thread()

            def run(stale):
                self.threads[f"work {name}"] = threading.current_thread()
                return name if work is None else work(stale)

            return run

        def deliver(result):
            self.threads[f"deliver {name}"] = threading.current_thread()
            self.said.append(result)

        return Job(name, prepare, deliver)


async def done(told):
    """Waits, with the loop running, until nothing is busy."""
    end = time.monotonic() + LONG
    while told.background.busy:
        assert time.monotonic() < end, told.background.busy
        await asyncio.sleep(0.005)


@pytest.fixture
def told():
    told = Told()
    yield told
    told.background.close()


def test_work_is_done_in_another_thread_and_handed_over_in_this_one(told):
    async def run():
        told.background.restart([told.job("one"), told.job("two")])
        assert told.background.busy == ["one", "two"] and told.said == []
        await done(told)

    asyncio.run(run())

    assert told.said == ["one", "two"]
    main = threading.current_thread()
    for name in ("one", "two"):
        assert told.threads[f"prepare {name}"] is told.threads[f"deliver {name}"] is main
        assert told.threads[f"work {name}"] is not main
        assert told.threads[f"work {name}"].name.startswith("attnviz-explorer")
    assert told.threads["changed"] is main and told.changes == 2
    assert told.background.error is None


def test_nothing_begins_before_it_is_quiet(told, monkeypatch):
    monkeypatch.setattr(background, "_QUIET_SECONDS", 0.15)

    async def run():
        for name in ("a", "b", "c"):  # keys, faster than that
            told.background.restart([told.job(name)])
            await asyncio.sleep(0.05)
        assert told.threads == {}
        await done(told)

    asyncio.run(run())

    assert told.said == ["c"]
    assert "prepare a" not in told.threads and "prepare b" not in told.threads


def test_an_outdated_job_is_given_up_and_its_result_is_not_handed_over(told):
    begun, ended = threading.Event(), threading.Event()

    def long(stale):
        begun.set()
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            if stale():
                ended.set()
                raise Outdated
            time.sleep(0.002)
        return "too late"

    async def run():
        told.background.restart([told.job("old", long), told.job("older")])
        while not begun.is_set():
            await asyncio.sleep(0.002)
        told.background.restart([told.job("new")])
        await done(told)

    asyncio.run(run())

    assert ended.is_set()
    assert told.said == ["new"]
    assert "prepare older" not in told.threads
    assert told.background.error is None


def test_a_result_that_comes_although_it_is_outdated_is_not_handed_over(told):
    begun, go_on = threading.Event(), threading.Event()

    def stubborn(_):
        begun.set()
        assert go_on.wait(LONG)
        return "old"

    async def run():
        told.background.restart([told.job("old", stubborn)])
        while not begun.is_set():
            await asyncio.sleep(0.002)
        told.background.restart([told.job("new")])
        go_on.set()
        await done(told)
        await asyncio.sleep(0.02)

    asyncio.run(run())
    assert told.said == ["new"]


def fails(_):
    raise ValueError("it cannot be done")


@pytest.mark.parametrize("where", ["work", "prepare", "deliver"])
def test_a_failure_is_told_and_the_rest_goes_on(told, where):
    bad = told.job("bad", fails)
    if where == "prepare":
        bad = Job("bad", lambda: fails(None), lambda _: None)
    if where == "deliver":
        bad = Job("bad", lambda: lambda _: "well", fails)

    async def run():
        told.background.restart([bad, told.job("good")])
        await done(told)
        assert told.background.error == "bad: it cannot be done"
        told.background.restart([told.job("next")])
        assert told.background.error is None
        await done(told)

    asyncio.run(run())
    assert told.said == ["good", "next"] and told.background.error is None


def test_without_a_loop_all_is_done_when_it_is_asked_for(told):
    told.background.restart([told.job("old")])
    told.background.restart([told.job("one"), told.job("two", lambda stale: stale())])
    assert told.background.busy == ["one", "two"] and told.threads == {}

    told.background.wait()

    assert told.said == ["one", False]
    assert told.threads["work one"] is threading.current_thread()
    assert (told.background.busy, told.changes) == ([], 1)
    told.background.wait()
    assert told.said == ["one", False]


def test_a_failure_while_one_waits_is_raised_and_the_rest_is_still_there(told):
    told.background.restart([told.job("bad", fails), told.job("good")])

    with pytest.raises(ValueError, match="it cannot be done"):
        told.background.wait()

    assert (told.background.busy, told.changes) == (["good"], 1)
    told.background.wait()
    assert told.said == ["good"]


def test_who_waits_while_work_is_running_gets_it_once(told):
    begun = threading.Event()

    def slow(stale):
        begun.set()
        end = time.monotonic() + 0.5
        while not stale() and time.monotonic() < end:
            time.sleep(0.002)
            if threading.current_thread() is threading.main_thread():
                break
        return "slow"

    async def run():
        told.background.restart([told.job("slow", slow)])
        while not begun.is_set():
            await asyncio.sleep(0.002)
        told.background.wait()
        assert told.said == ["slow"]
        await asyncio.sleep(0.05)

    asyncio.run(run())
    assert told.said == ["slow"]


def test_closing_ends_the_thread_and_forgets_what_was_asked(told):
    begun, ended = threading.Event(), threading.Event()

    def long(stale):
        begun.set()
        while not stale():
            time.sleep(0.002)
        ended.set()

    async def run():
        told.background.restart([told.job("long", long), told.job("later")])
        while not begun.is_set():
            await asyncio.sleep(0.002)
        told.background.close()
        assert told.background.busy == []
        await asyncio.sleep(0.02)

    asyncio.run(run())
    thread = told.threads["work long"]
    thread.join(LONG)
    assert ended.is_set() and not thread.is_alive()
    assert told.said == [] and "prepare later" not in told.threads
    told.background.close()


def test_one_job_can_be_finished_at_once_and_the_others_follow(told):
    async def run():
        told.background.restart([told.job("one"), told.job("two"), told.job("three")])
        told.background.finish("two")
        assert (told.said, told.background.busy) == (["two"], ["one", "three"])
        assert told.threads["work two"] is threading.current_thread()
        told.background.finish("nothing of the kind")
        await done(told)

    asyncio.run(run())
    assert told.said == ["two", "one", "three"]
    assert told.threads["work three"] is not threading.current_thread()


def test_one_job_that_cannot_be_finished_is_told(told):
    told.background.restart([told.job("bad", fails), told.job("good")])
    told.background.finish("bad")

    assert told.background.error == "bad: it cannot be done"
    assert (told.background.busy, told.said, told.changes) == (["good"], [], 1)
