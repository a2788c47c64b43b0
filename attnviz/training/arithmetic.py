"""How a process computes while it trains, and as before afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from attnviz.training.recipe import MatmulPrecision

__all__ = ["computing_products", "flushing_denormals"]


@contextmanager
def flushing_denormals() -> Iterator[None]:
    """In here numbers too small to be held exactly, below 1e-38 in size, are zero in this thread.

    A gradient that vanishes over hundreds of timesteps passes through them, and a processor takes
    many times as long for each.
    """
    before = _denormals_flushed()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextmanager
def computing_products(precision: MatmulPrecision) -> Iterator[None]:
    """In here products of float32 are as exact as `torch.set_float32_matmul_precision` has it.

    Raises:
        ValueError: If the process has set that by torch's other way, which cannot be restored.
    """
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError as error:
        raise ValueError(
            "Training and its test score set how exactly products are computed and restore it, but "
            "this process has set it by fp32_precision of torch.backends, which torch does not mix "
            f"with float32_matmul_precision: {str(error).splitlines()[0][:160]} Leave "
            "fp32_precision as it is by default, and set matmul_precision in the recipe."
        ) from error
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _denormals_flushed() -> bool:
    """What this thread does with them; torch sets it, but does not tell."""
    smallest = torch.finfo(torch.float32).smallest_normal
    return not bool(torch.tensor(smallest, dtype=torch.float32, device="cpu") * 0.5)
