"""Looking at a model without leaving a trace in it: modes and random states as they were."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["evaluated", "undisturbed"]


@contextmanager
def evaluated(model: object) -> Iterator[None]:
    """Eval mode inside the block; every part's mode and the random states are as before after it.

    Only the parts' flags move, each back to what it was: a part that was kept in eval mode in a
    model that trains stays there. `train` and `eval` of a model's own are not called.

    Arguments:
        model: A module. A plain function is called as it is: what it closes over cannot be seen.

    Yields:
        Nothing.
    """
    parts = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [part.training for part in parts]
    with undisturbed():
        try:
            for part in parts:
                part.training = False
            yield
        finally:
            for part, training in zip(parts, modes, strict=True):
                part.training = training


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leaves the random states, of torch on every device in use and of Python, as they were.

    In another than the main thread nothing is put back: the states belong to the whole process,
    and would be turned back under whoever draws from them meanwhile.

    Yields:
        Nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = random.getstate()
    # A model on a GPU has started CUDA; to start it for one that is not would take seconds.
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if started else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(kept)
