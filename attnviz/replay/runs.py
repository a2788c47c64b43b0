"""A model under the edits of one kind: every edit a row of a batch."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

import cells
from attnviz.edits import Ablation, Method, References
from attnviz.models import SequenceModel
from attnviz.replay.plan import Plan
from attnviz.states import State, repeated

__all__ = ["MEASURES", "ROWS", "Case", "Replay"]

MEASURES = ("margin", "probability", "loss")
"""What is measured of a decision, with and without an edit.

Of predicted numbers and of a running text the loss only."""

ROWS = 256  # edits that are run at once
LOGITS = 2**24  # that are held at once, at most: a language model has thousands a timestep


class Case(NamedTuple):
    """A sequence to be read under edits.

    Arguments:
        row: What is read.
        right: The right class, None or −1 where it is not known; the right numbers; or, whole
            numbers, the tokens that come next, one fewer than are read.
        begin: The state that it begins with, of one row; the initial one if None.
    """

    row: Tensor
    right: int | Tensor | None = None
    begin: State | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it is a piece of a running text."""
        return isinstance(self.right, Tensor) and not self.right.is_floating_point()


class Replay:
    """One model under the edits of one kind."""

    def __init__(
        self,
        model: SequenceModel,
        group: str,
        method: Method,
        references: References | None,
    ) -> None:
        self.model, self.group, self.method = model, group, method
        self.references, self.checked = references, False

    def run(self, case: Case, plan: Plan) -> dict[str, np.ndarray]:
        """The effects of all edits on one sequence.

        Arguments:
            case: What is read, and what is right.
            plan: The edits.
        """
        seen: dict[str, Tensor] = {}
        count, most = len(plan.timesteps), self._most(case)
        predicted = self._unedited(case, plan, min(most, count), seen)
        self._check_rows(case, plan, predicted)
        target, measures = _judged(predicted[0], case)
        base = {len(predicted): measures(predicted)}
        parts: dict[str, list[Tensor]] = {name: [] for name in base[len(predicted)]}
        for start in range(0, count, most):
            chosen = slice(start, min(start + most, count))
            size = chosen.stop - chosen.start
            if size not in base:
                base[size] = measures(self._unedited(case, plan, size))
            after = measures(self._read(case, self._edit(plan, chosen, plan.heads[chosen])))
            for name, values in parts.items():
                values.append(after[name] - base[size][name])
        # What follows the last token of a piece is not known, so that no edit there can be seen.
        last = (plan.timesteps == len(case.row) - 1).numpy() & case.goes_on
        effects = {
            f"{name}_effect": np.where(last, np.nan, torch.cat(values).cpu()).reshape(plan.shape)
            for name, values in parts.items()
        }
        signals = {name: values.cpu().numpy() for name, values in seen.items()}
        first = base[len(predicted)]
        unedited = {name: np.array(float(values[0])) for name, values in first.items()}
        return {**effects, **signals, **unedited, **target}

    def _most(self, case: Case) -> int:
        """How many copies of a sequence are read at once."""
        each = self.model.head.out_features * (len(case.row) if self.model.per_step else 1)
        return max(1, min(ROWS, LOGITS // each))

    def _unedited(
        self, case: Case, plan: Plan, size: int, seen: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Predictions for so many copies, every one under an edit of no head."""
        nothing = torch.zeros_like(plan.heads[:size])
        return self._read(case, self._edit(plan, slice(0, size), nothing), seen)

    def _edit(self, plan: Plan, chosen: slice, heads: Tensor) -> Ablation:
        return Ablation(
            self.method,
            plan.sources[chosen],
            plan.timesteps[chosen],
            heads,
            self.references,
            plan.numbers[chosen],
        )

    def _check_rows(self, case: Case, plan: Plan, predicted: Tensor) -> None:
        """Every row must stand for itself, and every time the same: each is another edit."""
        if self.checked:
            return
        alone = self._unedited(case, plan, 1)
        if not torch.allclose(predicted, alone.expand_as(predicted), rtol=1e-3, atol=1e-3):
            raise ValueError(
                f"{self.model.name} gives a sequence another answer alone than in a batch of "
                "copies (batch statistics or dropout in eval mode?), so that the rows of a batch "
                "cannot be edited one by one."
            )
        self.checked = True

    def _read(self, case: Case, edit: Ablation, seen: dict[str, Tensor] | None = None) -> Tensor:
        """Predictions for a batch of copies of a sequence, every one edited in its own way."""
        device, count = next(self.model.parameters()).device, len(edit.timesteps)
        batch = case.row.to(device).expand(count, *case.row.shape)
        begin = None if case.begin is None else repeated(case.begin, count)
        layer = self.model.layer
        with ExitStack() as scope, torch.no_grad():
            scope.enter_context(layer.register_edit(edit, group=self.group))
            if seen is not None and not seen:
                names = {"attention", "contribution"} & set(layer.groups[self.group].signals)
                hook = self._keep(seen, names)
                scope.enter_context(layer.register_readout_hook(hook, names))
            predicted: Tensor = self.model(batch, None, begin)
            return predicted.double()

    def _keep(self, seen: dict[str, Tensor], names: set[str]) -> cells.ReadoutHook:
        def hook(group: str, readouts: Any, lengths: Tensor) -> None:  # noqa: ANN401
            if group == self.group:
                for name in names:
                    seen[name] = readouts[name][:, 0].mean(dim=1)  # one row, all heads

        return hook


def _judged(
    predicted: Tensor, case: Case
) -> tuple[dict[str, np.ndarray], Callable[[Tensor], dict[str, Tensor]]]:
    """What a prediction is held against, as effects say it, and what does so for many."""
    right = case.right
    if isinstance(right, Tensor) and case.goes_on:
        tokens = right.to(predicted.device)
        return {}, lambda rows: {"loss": _mean_token_loss(rows, tokens)}
    if isinstance(right, Tensor):
        numbers = right.to(predicted)
        told = {"target": right.cpu().numpy()}
        return told, lambda rows: {"loss": (rows - numbers).square().sum(dim=-1)}
    target = int(predicted.argmax()) if right is None or right < 0 else right
    return {"target": np.array(target)}, lambda rows: _measures(rows, target)


def _mean_token_loss(
    logits: Float[Tensor, "row time word"], tokens: Int[Tensor, " token"]
) -> Float[Tensor, " row"]:
    """The mean loss of the tokens that come next; what the last is followed by is not known."""
    losses = nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens.repeat(len(logits)), reduction="none"
    )
    return losses.view(len(logits), -1).mean(dim=-1)


def _measures(logits: Tensor, target: int) -> dict[str, Tensor]:
    """Margin, probability and loss of a class, `(row)` each."""
    others = torch.arange(logits.shape[1], device=logits.device) != target
    log_probability = logits.log_softmax(dim=-1)[:, target]
    return {
        "margin": logits[:, target] - logits[:, others].amax(dim=-1),
        "probability": log_probability.exp(),
        "loss": -log_probability,
    }
