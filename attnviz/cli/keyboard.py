"""Ctrl-C, also where a library makes another error of it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

__all__ = ["Keyboard", "listening"]


@dataclass
class Keyboard:
    """Whether Ctrl-C was pressed.

    Arguments:
        pressed: True from then on.
    """

    pressed: bool = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        signal.default_int_handler(number, frame)


@contextmanager
def listening() -> Iterator[Keyboard]:
    """Remembers Ctrl-C within the block; `KeyboardInterrupt` is raised as always.

    Compiled code that tries several kinds of argument may take the exception for a kind that does
    not fit, and complain of that instead. Where Ctrl-C is ignored, handled otherwise or cannot be
    heard, away from the main thread, all stays as it is.

    Yields:
        What was pressed so far.
    """
    keyboard = Keyboard()
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield keyboard
        return
    signal.signal(signal.SIGINT, keyboard._hear)
    try:
        yield keyboard
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
