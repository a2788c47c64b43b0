"""A stop that is asked for by a signal, and granted when a checkpoint has been written."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["StopRequest"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Waits for Ctrl-C or a request to terminate, and remembers it instead of obeying at once.

    A second signal is obeyed at once. Away from the main thread, where Python hands out no
    signals, it never hears of one; a signal that the process ignores stays ignored.

    Arguments:
        say: Told that the stop will come.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.asked: int | None = None
        self.granted = False

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Whoever handled the signals before does so again after the block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def listen(self) -> None:
        """Handles the signals from now on, until the end of `restoring`."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._hear)

    def grant(self) -> None:
        """Ends the training; what comes after is not disturbed by further signals."""
        self.granted = True
        raise KeyboardInterrupt

    def obey(self) -> None:
        """Passes the signal on to whoever handled it before; after `restoring`."""
        if self.asked == signal.SIGTERM:
            signal.raise_signal(signal.SIGTERM)
            raise SystemExit(128 + signal.SIGTERM)  # its handler has come back
        raise KeyboardInterrupt

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.granted:
            return
        if self.asked is not None:
            self.grant()
        self.asked = number
        self.say("Stopping as soon as a checkpoint is written; once more stops at once.")
