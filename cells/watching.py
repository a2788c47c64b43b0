"""What is done with the gradients of a call's states when a backward pass has brought them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from cells.arrivals import Arrivals
from cells.base import StateName
from cells.hooks import Watch, norm_of_each
from cells.lengths import Rows
from cells.retrace import Steps, trace_routes

__all__ = ["Watching"]


class Watching:
    """A call whose gradients somebody wants to know.

    Arguments:
        watch: Who, and what of them.
        rows: The order of the rows.
        longest: Timesteps in the caller's input.

    Attributes:
        whole: Whether the gradients themselves are needed, or only their norms.
        arrivals: What reaches the call's output and final state.
    """

    def __init__(self, watch: Watch, rows: Rows, longest: int) -> None:
        self.watch, self.rows, self.longest = watch, rows, longest
        self.whole = watch.parts != "norms"
        self.arrivals = Arrivals()

    def keep(self, gradient: Tensor) -> Tensor:
        """What is kept of the gradient of a state, `(row, unit)`."""
        return gradient.detach() if self.whole else norm_of_each(gradient)

    def finish(
        self, kept: Mapping[StateName, Tensor], backward_pass: int, steps: Steps | None
    ) -> None:
        """Hands over what came back, in the caller's order, NaN in padding.

        Arguments:
            kept: Of every state `(time, batch)` or, whole, `(time, batch, unit)`, in the walk's
                order.
            backward_pass: Which one it was.
            steps: What the steps were given, to follow the routes; None if only norms are wanted.
        """
        found: dict[str, Tensor] = {}
        if steps is not None:
            arrivals = self.arrivals.of(backward_pass)
            found = trace_routes(steps, kept, arrivals, exits=self.watch.parts == "exits")
            self.arrivals.of(-1)  # a later backward pass begins anew
        if not found:
            norms = {n: norm_of_each(v) if self.whole else v for n, v in kept.items()}
            found = {f"{name}_gradient_norm": values for name, values in norms.items()}
        self.watch.report(
            {
                name: self.rows.from_walk(values, longest=self.longest, fill=torch.nan)
                for name, values in found.items()
            }
        )
