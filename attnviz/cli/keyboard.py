"""Ctrl-C, also where its exception is taken for another one or lost."""

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Keyboard", "listening"]

_SOON = 0.01  # seconds until Python is back from where it was


class Keyboard:
    """Ctrl-C while a command runs.

    Attributes:
        pressed: Whether it was.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._over = False
        self._thread = threading.get_ident()  # the main one, which alone hears signals

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Remembers Ctrl-C within the block, and raises `KeyboardInterrupt` until it is taken."""
        lost: Callable[[sys.UnraisableHookArgs], object] = sys.unraisablehook

        def once_more(what: "sys.UnraisableHookArgs") -> None:
            if not isinstance(what.exc_value, KeyboardInterrupt):
                lost(what)
                return
            again = threading.Timer(_SOON, self._press)
            again.daemon = True
            again.start()

        signal.signal(signal.SIGINT, self._hear)
        sys.unraisablehook = once_more
        try:
            yield
        finally:
            self._over = True
            sys.unraisablehook = lost
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        signal.default_int_handler(number, frame)

    def _press(self) -> None:
        if self._over:
            return
        if hasattr(signal, "pthread_kill"):  # wakes what waits, too
            signal.pthread_kill(self._thread, signal.SIGINT)
        else:
            _thread.interrupt_main()


@contextmanager
def listening() -> Iterator[Keyboard]:
    """Hears Ctrl-C within the block; `KeyboardInterrupt` is raised as always.

    Compiled code that tries several kinds of argument may take the exception for a kind that does
    not fit, and complain of that instead: `pressed` tells. In a callback of the garbage collector
    it is lost: it is raised once more. Where Ctrl-C is ignored, handled otherwise or cannot be
    heard, away from the main thread, all stays as it is.

    Yields:
        What was pressed so far.
    """
    keyboard = Keyboard()
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield keyboard
        return
    with keyboard.remembering():
        yield keyboard
