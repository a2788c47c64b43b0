"""Runs of a model under edits: what changes when attention cannot read something."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import cells
from attnviz.edits import NO_LAGS, Ablation, Collector, Method, References, check_method
from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording import Texts
from attnviz.recording.assembly import provenance
from attnviz.recording.recorder import recurrent_layers
from attnviz.recording.texts import check_labels, encoded_texts

__all__ = ["AblationLevel", "ablate"]

AblationLevel = Literal["lag", "step", "pair", "head", "feature"]
_MEASURES = ("margin", "probability", "loss")
_WHOLE = ("uniform", "permute", "frozen")  # methods that change all weights of a head at once
ROWS = 256  # edits that are run at once
_AXES = {
    "lag": ("lag",),
    "step": ("time", "lag"),
    "pair": ("lag", "other_lag"),
    "head": ("head", "lag"),
    "feature": ("feature",),
}


@dataclass(frozen=True)
class _Plan:
    """All edits of one sequence: which sources, heads and timestep each takes away."""

    sources: Tensor
    heads: Tensor
    timesteps: Tensor
    shape: tuple[int, ...]
    numbers: Tensor


def ablate(
    model: SequenceModel,
    texts: Sequence[str] | Texts,
    *,
    level: AblationLevel = "lag",
    method: Method = "zero",
    reference: Sequence[str] | None = None,
    group: str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Takes away what attention reads, inside the recurrence, and measures what changes.

    Every edit is a row of a batch. The unedited arm is run on the same path, in a batch of the
    same shape, so that an edit that changes nothing has an effect of exactly zero. The model reads
    in eval mode; its running statistics and the random state stay as they are.

    Arguments:
        model: A classifier of texts whose cells attend.
        texts: What to read, with labels where they are known; elsewhere the class that the model
            predicts stands for the right one.
        level: What one edit takes away: a `lag` at all timesteps; a lag at one timestep (`step`);
            a `pair` of lags at all timesteps; a lag of one `head`; or, of RAU, a `feature`.
        method: As `attnviz.edits.Ablation` has them: `zero`, `remove`, `mean`, `resample`.
            `uniform`, `permute` and `frozen` change all weights of a head at once, at all
            timesteps (`head`) or at one (`step`).
        reference: Texts that `mean`, `resample` and `frozen` take their values from.
        group: The layer and direction that is edited; the first if not given.
        seed: For what `resample` and `permute` draw.
        progress: Called with edits done and in all.

    Returns:
        Effects (edited minus unedited) `margin_effect` (logit of the class minus the best other),
        `probability_effect` and `loss_effect`, with axes `(sequence, ...)` by level: `(lag)`,
        `(time, lag)`, `(lag, other_lag)` (single lags on the diagonal), `(head, lag)` or
        `(feature)`, and `(head)` or `(time)` where all weights change; the unedited `margin`,
        `probability`, `loss` and `target (sequence)`; and for cells with lags the unedited
        `attention` and `contribution (sequence, time, lag)`, means over heads. NaN beyond a
        sequence's length.

    Raises:
        TypeError: If `texts` is a single string.
        KeyError: If there is no such layer.
        ValueError: If the test is not defined for the cell, the rows of a batch do not stand for
            themselves, a text cannot be read, or a method needs references.
    """
    given = texts if isinstance(texts, Texts) else Texts(texts)
    if level not in get_args(AblationLevel):
        raise ValueError(f"level is one of {get_args(AblationLevel)}, got {level!r}.")
    encoded = encoded_texts(model, given)
    check_labels(model, given)
    group = next(iter(model.layer.groups)) if group is None else group
    cell = _checked_cell(model, group, level, method)
    with evaluated(model), _stepwise(model.layer):
        known = None if reference is None else _references(model, group, reference)
        check_method(method, known)
        replay = _Replay(model, group, method, known)
        done, found = 0, []
        plans = [
            _plan(cell, level, len(text.ids), whole=method in _WHOLE, first=1_000_003 * (n + seed))
            for n, text in enumerate(encoded)
        ]
        total = sum(len(plan.timesteps) for plan in plans)
        for number, (text, plan) in enumerate(zip(encoded, plans, strict=True)):
            label = None if given.labels is None else int(given.labels[number])
            found.append(replay.run(torch.from_numpy(text.ids), plan, label))
            done += len(plan.timesteps)
            if progress is not None:
                progress(done, total)
    return _dataset(model, given, found, level, method, group)


class _Replay:
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

    def run(self, ids: Tensor, plan: _Plan, label: int | None) -> dict[str, np.ndarray]:
        """The effects of all edits on one sequence."""
        parts: dict[str, list[Tensor]] = {name: [] for name in _MEASURES}
        known: dict[int, dict[str, Tensor]] = {}
        seen: dict[str, Tensor] = {}
        count, target = len(plan.timesteps), None
        for start in range(0, count, ROWS):
            chosen = slice(start, min(start + ROWS, count))
            size = chosen.stop - chosen.start
            if size not in known:
                nothing = torch.zeros_like(plan.heads[:size])
                logits = self._read(ids, self._edit(plan, slice(0, size), nothing), seen)
                self._check_rows(ids, plan, nothing, logits)
                if target is None:
                    own = int(logits[0].argmax())
                    target = own if label is None or label < 0 else label
                known[size] = _measures(logits, target)
            if target is None:
                raise RuntimeError("An unedited run comes first.")
            after = _measures(self._read(ids, self._edit(plan, chosen, plan.heads[chosen])), target)
            for name, values in parts.items():
                values.append(after[name] - known[size][name])
        base = {name: float(values[0]) for name, values in next(iter(known.values())).items()}
        effects = {
            f"{name}_effect": torch.cat(values).cpu().numpy().reshape(plan.shape)
            for name, values in parts.items()
        }
        signals = {name: values.cpu().numpy() for name, values in seen.items()}
        return {**effects, **signals, **{k: np.array(v) for k, v in base.items()},
                "target": np.array(target)}  # fmt: skip

    def _edit(self, plan: _Plan, chosen: slice, heads: Tensor) -> Ablation:
        return Ablation(
            self.method,
            plan.sources[chosen],
            plan.timesteps[chosen],
            heads,
            self.references,
            plan.numbers[chosen],
        )

    def _check_rows(self, ids: Tensor, plan: _Plan, nothing: Tensor, logits: Tensor) -> None:
        """Every row must stand for itself, and every time the same: each is another edit."""
        if self.checked:
            return
        alone = self._read(ids, self._edit(plan, slice(0, 1), nothing[:1]))
        if not torch.allclose(logits, alone.expand_as(logits), rtol=1e-3, atol=1e-3):
            raise ValueError(
                f"{self.model.name} gives a text another answer alone than in a batch of copies "
                "(batch statistics or dropout in eval mode?), so that the rows of a batch cannot "
                "be edited one by one."
            )
        self.checked = True

    def _read(self, ids: Tensor, edit: Ablation, seen: dict[str, Tensor] | None = None) -> Tensor:
        """Logits of a batch of copies of a sequence, every one edited in its own way."""
        device = next(self.model.parameters()).device
        batch = ids.to(device).expand(len(edit.timesteps), -1)
        layer = self.model.layer
        with ExitStack() as scope, torch.no_grad():
            scope.enter_context(layer.register_edit(edit, group=self.group))
            if seen is not None and not seen:
                names = {"attention", "contribution"} & set(layer.groups[self.group].signals)
                hook = self._keep(seen, names)
                scope.enter_context(layer.register_readout_hook(hook, names))
            logits: Tensor = self.model(batch)
            return logits.double()

    def _keep(self, seen: dict[str, Tensor], names: set[str]) -> cells.ReadoutHook:
        def hook(group: str, readouts: Any, lengths: Tensor) -> None:  # noqa: ANN401
            if group == self.group:
                for name in names:
                    seen[name] = readouts[name][:, 0].mean(dim=1)  # one row, all heads

        return hook


def _checked_cell(
    model: SequenceModel, group: str, level: AblationLevel, method: Method
) -> cells.Cell[Any]:
    if model.kind != "classification":
        raise ValueError(
            f"ablate measures what a classifier decides, but {model.name} is for {model.kind}."
        )
    if group not in model.layer.groups:
        raise KeyError(f"{model.name} has no layer {group!r}; it has {list(model.layer.groups)}.")
    cell = model.layer.groups[group]
    name = type(cell).__name__.removesuffix("Cell")
    if level == "feature":
        if "feature_attention" not in cell.signals:
            raise ValueError(f"{name} does not attend over features; ablate a lag instead.")
    elif not cell.lags and not (method in _WHOLE and "feature_attention" in cell.signals):
        why = NO_LAGS.get(name, "has no attention with lags")
        advice = " (level='feature' ablates those)" if name == "RAU" else ""
        raise ValueError(
            f"A lag of {name} cannot be ablated: it {why}{advice}. To see how far back it looks, "
            "replace its inputs: attnviz.replacement_influence."
        )
    if method in _WHOLE and level not in ("step", "head"):
        raise ValueError(
            f"The method {method!r} changes all weights of a head at once, so that single sources "
            "have no effects of their own. Choose level='head' (all timesteps) or 'step'."
        )
    return cell


def _plan(
    cell: cells.Cell[Any], level: AblationLevel, length: int, *, whole: bool, first: int
) -> _Plan:
    heads = _heads(cell)
    count = len(cell.lags) or len(cell.coordinates()["feature_kind"])
    one = torch.eye(count, dtype=torch.bool)
    if whole:
        one = torch.ones(1, count, dtype=torch.bool)
    each, every = torch.eye(heads, dtype=torch.bool), torch.ones(1, heads, dtype=torch.bool)
    sources, chosen = one, every
    shape: tuple[int, ...] = (count,)
    times = torch.full((1,), -1)
    if level == "step":
        sources, times = one.repeat(length, 1), torch.arange(length).repeat_interleave(len(one))
        shape = (length,) if whole else (length, count)
    elif level == "pair":
        sources, shape = (one[:, None] | one[None]).flatten(0, 1), (count, count)
    elif level == "head":
        sources, chosen = one.repeat(heads, 1), each.repeat_interleave(len(one), dim=0)
        shape = (heads,) if whole else (heads, count)
    size = len(sources)
    return _Plan(
        sources,
        chosen.expand(size, -1),
        times.expand(size),
        shape,
        first + torch.arange(size),
    )


def _heads(cell: cells.Cell[Any]) -> int:
    attention = getattr(cell, "attention", None)
    return int(getattr(attention, "heads", 1))


def _measures(logits: Tensor, target: int) -> dict[str, Tensor]:
    """Margin, probability and loss of a class, `(row)` each."""
    others = torch.arange(logits.shape[1], device=logits.device) != target
    log_probability = logits.log_softmax(dim=-1)[:, target]
    return {
        "margin": logits[:, target] - logits[:, others].amax(dim=-1),
        "probability": log_probability.exp(),
        "loss": -log_probability,
    }


def _references(model: SequenceModel, group: str, texts: Sequence[str]) -> References:
    collector = Collector()
    device = next(model.parameters()).device
    with model.layer.register_edit(collector, group=group), torch.no_grad():
        for text in encoded_texts(model, Texts(texts)):
            model(torch.from_numpy(text.ids)[None].to(device))
    return collector.references()


@contextmanager
def _stepwise(layer: cells.Recurrent) -> Iterator[None]:
    """A scope on the step path, the only one on which attention can be edited."""
    path = layer.path
    layer.path = "step"
    try:
        yield
    finally:
        layer.path = path


def _dataset(
    model: SequenceModel, texts: Texts, found: list[dict[str, np.ndarray]], level: AblationLevel,
    method: str, group: str,
) -> xr.Dataset:  # fmt: skip
    own = _AXES[level][:1] if method in _WHOLE else _AXES[level]
    axes = {f"{name}_effect": own for name in _MEASURES}
    axes |= {"attention": ("time", "lag"), "contribution": ("time", "lag")}
    variables: dict[str, Any] = {}
    for name in found[0]:
        stacked = _stacked([one[name] for one in found])
        variables[name] = (("sequence", *axes.get(name, ())), stacked)
    cell = model.layer.groups[group]
    coordinates: dict[str, Any] = {
        "id": ("sequence", _ids(texts, len(found))),
    }
    if cell.lags:
        coordinates["lag"] = list(cell.lags)
    if level == "pair":
        coordinates["other_lag"] = list(cell.lags)
    dataset = xr.Dataset(variables, coordinates)
    said = provenance(model, recurrent_layers(model))
    wanted = ("model", "cell", "weights_digest", "versions")
    dataset.attrs = {
        "format": "attnviz-effects/1", **{name: said[name] for name in wanted}, "level": level,
        "method": method, "group": group, "path": "step", "model_mode": "eval",
        "target": "label, else predicted class" if texts.labels is not None else "predicted class",
    }  # fmt: skip
    return dataset


def _ids(texts: Texts, count: int) -> list[str]:
    return list(texts.ids) if texts.ids is not None else [str(n) for n in range(count)]


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    """Arrays of different lengths along their first axis, padded with NaN."""
    longest = max((part.shape[0] for part in parts if part.ndim), default=0)
    padded = [
        np.concatenate([part, np.full((longest - len(part), *part.shape[1:]), np.nan, part.dtype)])
        if part.ndim and len(part) < longest
        else part
        for part in parts
    ]
    return np.stack(padded)
