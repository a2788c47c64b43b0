"""A model under the edits of one kind: every edit a row of a batch."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor

import cells
from attnviz.edits import Ablation, Method, References
from attnviz.models import SequenceModel
from attnviz.replay.plan import Plan

__all__ = ["MEASURES", "ROWS", "Replay"]

MEASURES = ("margin", "probability", "loss")
"""What is measured of a decision, with and without an edit; of a predicted number the loss only."""

ROWS = 256  # edits that are run at once


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

    def run(self, row: Tensor, plan: Plan, right: int | Tensor | None) -> dict[str, np.ndarray]:
        """The effects of all edits on one sequence.

        Arguments:
            row: What is read.
            plan: The edits.
            right: The right class, None or -1 where it is not known; or the right numbers.
        """
        seen: dict[str, Tensor] = {}
        count = len(plan.timesteps)
        predicted = self._unedited(row, plan, min(ROWS, count), seen)
        self._check_rows(row, plan, predicted)
        target, measures = _judged(predicted[0], right)
        base = {len(predicted): measures(predicted)}
        parts: dict[str, list[Tensor]] = {name: [] for name in base[len(predicted)]}
        for start in range(0, count, ROWS):
            chosen = slice(start, min(start + ROWS, count))
            size = chosen.stop - chosen.start
            if size not in base:
                base[size] = measures(self._unedited(row, plan, size))
            after = measures(self._read(row, self._edit(plan, chosen, plan.heads[chosen])))
            for name, values in parts.items():
                values.append(after[name] - base[size][name])
        effects = {
            f"{name}_effect": torch.cat(values).cpu().numpy().reshape(plan.shape)
            for name, values in parts.items()
        }
        signals = {name: values.cpu().numpy() for name, values in seen.items()}
        first = base[len(predicted)]
        unedited = {name: np.array(float(values[0])) for name, values in first.items()}
        return {**effects, **signals, **unedited, "target": target}

    def _unedited(
        self, row: Tensor, plan: Plan, size: int, seen: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Predictions for so many copies, every one under an edit of no head."""
        nothing = torch.zeros_like(plan.heads[:size])
        return self._read(row, self._edit(plan, slice(0, size), nothing), seen)

    def _edit(self, plan: Plan, chosen: slice, heads: Tensor) -> Ablation:
        return Ablation(
            self.method,
            plan.sources[chosen],
            plan.timesteps[chosen],
            heads,
            self.references,
            plan.numbers[chosen],
        )

    def _check_rows(self, row: Tensor, plan: Plan, predicted: Tensor) -> None:
        """Every row must stand for itself, and every time the same: each is another edit."""
        if self.checked:
            return
        alone = self._unedited(row, plan, 1)
        if not torch.allclose(predicted, alone.expand_as(predicted), rtol=1e-3, atol=1e-3):
            raise ValueError(
                f"{self.model.name} gives a sequence another answer alone than in a batch of "
                "copies (batch statistics or dropout in eval mode?), so that the rows of a batch "
                "cannot be edited one by one."
            )
        self.checked = True

    def _read(self, row: Tensor, edit: Ablation, seen: dict[str, Tensor] | None = None) -> Tensor:
        """Predictions for a batch of copies of a sequence, every one edited in its own way."""
        device = next(self.model.parameters()).device
        batch = row.to(device).expand(len(edit.timesteps), *row.shape)
        layer = self.model.layer
        with ExitStack() as scope, torch.no_grad():
            scope.enter_context(layer.register_edit(edit, group=self.group))
            if seen is not None and not seen:
                names = {"attention", "contribution"} & set(layer.groups[self.group].signals)
                hook = self._keep(seen, names)
                scope.enter_context(layer.register_readout_hook(hook, names))
            predicted: Tensor = self.model(batch)
            return predicted.double()

    def _keep(self, seen: dict[str, Tensor], names: set[str]) -> cells.ReadoutHook:
        def hook(group: str, readouts: Any, lengths: Tensor) -> None:  # noqa: ANN401
            if group == self.group:
                for name in names:
                    seen[name] = readouts[name][:, 0].mean(dim=1)  # one row, all heads

        return hook


def _judged(
    predicted: Tensor, right: int | Tensor | None
) -> tuple[np.ndarray, Callable[[Tensor], dict[str, Tensor]]]:
    """What a prediction is held against, and what does so for many."""
    if isinstance(right, Tensor):
        numbers = right.to(predicted)
        return right.cpu().numpy(), lambda rows: {"loss": (rows - numbers).square().sum(dim=-1)}
    target = int(predicted.argmax()) if right is None or right < 0 else right
    return np.array(target), lambda rows: _measures(rows, target)


def _measures(logits: Tensor, target: int) -> dict[str, Tensor]:
    """Margin, probability and loss of a class, `(row)` each."""
    others = torch.arange(logits.shape[1], device=logits.device) != target
    log_probability = logits.log_softmax(dim=-1)[:, target]
    return {
        "margin": logits[:, target] - logits[:, others].amax(dim=-1),
        "probability": log_probability.exp(),
        "loss": -log_probability,
    }
