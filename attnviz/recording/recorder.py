"""Recording what a model looks at: the border between torch and the trace."""

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

import cells
from attnviz.models import SequenceModel
from attnviz.recording.assembly import (
    GATE_ATTENTION,
    Batch,
    assemble,
    check_described,
    report_not_finite,
    sequence_first,
    to_numpy,
    weights_digest,
)
from attnviz.recording.declared import check_axes, check_gated
from attnviz.recording.gradients import GradientRecording, gradient_parts, scales_with_loss
from attnviz.recording.signals import (
    available_signals,
    chosen_signals,
    gate_signals,
    readouts_for,
    recurrent_layers,
    with_used,
)
from attnviz.text import joined_spans
from attnviz.trace import Trace

__all__ = ["Recording", "record"]

SCORED_CLASSES = 64


def record(
    model: nn.Module,
    keep: Iterable[str] | None = None,
    gradients: GradientRecording = True,
    sink: Callable[[Trace], None] | None = None,
    *,
    ages: int = 10,
    loss_reduction: Literal["sum", "mean"] = "sum",
) -> "Recording":
    """Records every forward call of a model inside a `with` block.

    Outputs and parameter gradients are the same, bit for bit, with and without recording. Each
    signal costs one float a sequence, timestep and entry of its axes; attention and contribution
    of a window of 10 thus 80 bytes a timestep, a gate of 64 units 256. Of several backward
    passes through one forward call the last is kept.

    Arguments:
        model: Any module that holds `cells.Recurrent` layers; for a `SequenceModel` predictions
            are recorded too.
        keep: Signals to record, `"all"` of them in a list of its own; the cells' declared
            defaults and `gate_attention` if not given.
        gradients: What to record of gradients when backward is called: `"norms"` of the gradient
            at every state; `"routes"` (or True) also by which use of the state it came back;
            `"exits"` also by which of these routes it goes on to each input, which is what cells
            are compared by; or nothing (False). Routes cost a fifth to a half of a forward and
            backward pass, exits three to five of them.
        sink: Takes the trace of each batch, in place of memory, when the next forward call begins
            or the block ends: backward must come before.
        ages: How many ages `gate_attention` tells apart.
        loss_reduction: How the loss that backward starts from was reduced over the batch;
            gradients are stored for a sum.

    Returns:
        The recording; its `trace` is there after the block.

    Raises:
        TypeError: If the model holds no `cells.Recurrent`.
        KeyError: If no cell of the model has one of the signals.
        ValueError: If `gradients` is none of its choices, or a cell's `gated` names no signals. By
            a call, if a signal has other axes than its cell declares; by backward, if a state is
            used by other routes.
    """
    return Recording(
        model, keep, gradients, sink=sink, ages=ages, mean_loss=loss_reduction == "mean"
    )


class Recording:
    """A `with` block during which a model is recorded; made by `record`."""

    def __init__(
        self,
        model: nn.Module,
        keep: Iterable[str] | None,
        gradients: GradientRecording,
        *,
        sink: Callable[[Trace], None] | None,
        ages: int,
        mean_loss: bool,
    ) -> None:
        self.model, self.sink = model, sink
        self.gradients, self.ages, self.mean_loss = gradient_parts(gradients), ages, mean_loss
        self.layers = recurrent_layers(model)
        self.keep = {
            name: chosen_signals(layer, keep, everything=available_signals(model))
            for name, layer in self.layers.items()
        }
        for prefix, layer in self.layers.items():
            if GATE_ATTENTION in self.keep[prefix]:
                for cell in layer.groups.values():
                    check_gated(cell)
        self._batches: list[Batch] = []
        self._current: Batch | None = None
        self._described: dict[str, Any] = {}
        self._hooks = ExitStack()
        self._calls = ExitStack()
        self._trace: Trace | None = None
        self._open, self._digest = False, ""

    def __enter__(self) -> "Recording":
        """Starts recording."""
        if self._open or self._trace is not None:
            raise RuntimeError("A recording is used once; call attnviz.record(model) again.")
        self._open, self._digest = True, weights_digest(self.model)
        for handle in (
            self.model.register_forward_pre_hook(self._begin),
            self.model.register_forward_hook(self._end, with_kwargs=True, always_call=True),
        ):
            self._hooks.callback(handle.remove)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Removes every hook; after an exception nothing more is kept."""
        self._open = False
        self._calls.close()
        self._hooks.close()
        if kind is None:
            self._hand_over()
            if self.sink is None:
                self._trace = self._build(self._batches)

    @property
    def trace(self) -> Trace:
        """What was recorded.

        Raises:
            RuntimeError: Inside the block, with a sink, or if no forward call was recorded.
        """
        if self._trace is None:
            raise RuntimeError(
                "The trace is complete only after the `with` block; with a sink it went there."
            )
        return self._trace

    def describe(
        self,
        *,
        id: Sequence[str] | None = None,
        text: Sequence[str] | None = None,
        span: Sequence[Int[np.ndarray, "_ 2"]] | None = None,
        label: Sequence[int] | Sequence[float] | None = None,
        tokens: Sequence[Sequence[str]] | None = None,
    ) -> None:
        """Says what the next forward call reads, so that figures can name it.

        Example:
            >>> with attnviz.record(model) as recording:
            ...     recording.describe(tokens=[["far", "too", "long"]], label=[0])
            ...     model(ids)

        Arguments:
            id: A name for each sequence.
            text: The text of each sequence.
            span: Start and end of each token in its text.
            label: The right answer of each sequence: the number of its class (−1 where it is not
                known), or the number to be predicted.
            tokens: In place of text and span, the words of each sequence, one a timestep; its text
                is these, joined by blanks.

        Raises:
            TypeError: If a label is no number.
            ValueError: If both tokens and a text or spans are given. By the call itself, if there
                is not one of each for every sequence it reads, or a token for every timestep.
        """
        if label is not None and np.asarray(label).dtype.kind not in "iufb":
            raise TypeError(
                "describe takes as label of each sequence the number of its class, or the number "
                f"to be predicted, got {next(iter(label))!r}."
            )
        if tokens is not None:
            if text is not None or span is not None:
                raise ValueError("Give either the tokens of each sequence, or its text and spans.")
            text = [" ".join(words) for words in tokens]
            span = [joined_spans(words) for words in tokens]
        given = {"id": id, "text": text, "span": span, "label": label}
        self._described = {name: value for name, value in given.items() if value is not None}

    def _begin(self, model: nn.Module, inputs: object) -> None:
        self._hand_over()
        self._calls.close()
        batch = self._current = Batch(self._described, "train" if model.training else "eval")
        self._described = {}
        for prefix, layer in self.layers.items():
            keep = with_used(layer, self.keep[prefix])
            hook = self._readout_hook(batch, prefix, layer, keep)
            handle = layer.register_readout_hook(hook, readouts_for(layer, keep))
            self._calls.callback(handle.remove)
            if self.gradients and torch.is_grad_enabled():
                watch = self._gradient_hook(batch, prefix)
                handle = layer.register_gradient_hook(watch, parts=self.gradients)
                self._calls.callback(handle.remove)
        if isinstance(model, SequenceModel) and not model.per_step:
            handle = model.layer.register_forward_hook(self._score_hook(batch, model))
            self._calls.callback(handle.remove)

    def _end(
        self,
        model: nn.Module,
        inputs: tuple[Any, ...],
        named: dict[str, Any],
        output: object,
    ) -> None:
        self._calls.close()
        if self._current is None or (output is None and sys.exc_info()[0] is not None):
            self._current = None  # the call itself failed
            return
        try:
            check_described(self._current)
        except ValueError:
            self._current = None  # a call that was refused is not recorded
            raise
        if isinstance(model, SequenceModel) and isinstance(output, Tensor):
            if not model.per_step:
                self._current.root["prediction"] = to_numpy(output)
            elif model.kind == "language_model":
                self._current.root["loss"] = _next_token_loss(output, _ids_of(inputs, named))

    def _hand_over(self) -> None:
        """Keeps the batch before, now that its backward is over."""
        batch, self._current = self._current, None
        if batch is None or not batch.groups:
            return
        report_not_finite(batch)
        if self.sink is None:
            self._batches.append(batch)
        else:
            self.sink(self._build([batch]))

    def _readout_hook(
        self, batch: Batch, prefix: str, layer: cells.Recurrent, kept: frozenset[str]
    ) -> Callable[[str, Mapping[str, Tensor], Tensor], None]:
        def hook(group: str, readouts: Mapping[str, Tensor], lengths: Tensor) -> None:
            cell = layer.groups[group]
            _check_call(batch, prefix + group, lengths)
            check_axes(cell, readouts)
            arrays = {
                name: sequence_first(values)
                for name, values in readouts.items()
                if name in kept and name in cell.signals
            }
            if GATE_ATTENTION in kept and cell.gated is not None:
                backwards = group.endswith("_reverse")
                arrays |= gate_signals(cell.gated, readouts, lengths, self.ages, backwards)
            for name, values in cell.constants().items():
                arrays[name] = to_numpy(values)
            batch.groups[prefix + group] = arrays
            batch.root["length"] = lengths.numpy().astype(np.int32)
            batch.root["history"] = to_numpy(readouts["history"]).astype(np.int32)

        return hook

    def _gradient_hook(
        self, batch: Batch, prefix: str
    ) -> Callable[[str, Mapping[str, Tensor]], None]:
        def hook(group: str, gradients: Mapping[str, Tensor]) -> None:
            if batch.closed:
                warnings.warn(
                    f"The gradients of {prefix}{group} came too late to be recorded: backward was "
                    "called after the `with` block, or, with a sink, after the next forward call. "
                    "Call it before.",
                    stacklevel=2,
                )
                return
            for name, values in gradients.items():
                scale = values.shape[1] if self.mean_loss and scales_with_loss(name) else 1
                batch.groups[prefix + group][name] = sequence_first(values * scale)

        return hook

    def _score_hook(
        self, batch: Batch, model: SequenceModel
    ) -> Callable[[nn.Module, object, tuple[Tensor, object]], None]:
        """What the head would say if the sequence ended at each timestep."""

        @torch.no_grad()
        def hook(layer: nn.Module, inputs: object, output: tuple[Tensor, object]) -> None:
            if model.layer.bidirectional or model.head.out_features > SCORED_CLASSES:
                return
            states = output[0] if model.layer.batch_first else output[0].transpose(0, 1)
            # Not by calling the head: hooks on it are for the model's own calls.
            scores = nn.functional.linear(states, model.head.weight, model.head.bias)
            batch.root["score"] = to_numpy(scores)

        return hook

    def _build(self, batches: list[Batch]) -> Trace:
        if not batches:
            raise RuntimeError(
                "Nothing was recorded: the model was not called inside the `with` block."
            )
        for batch in batches:
            batch.closed = True
        return assemble(batches, self.model, self.layers, self._digest)


def _check_call(batch: Batch, group: str, lengths: Tensor) -> None:
    """A trace has one length a sequence, and one reading of it by each layer."""
    if group in batch.groups:
        raise RuntimeError(
            f"{group} was called twice in one forward call of the recorded model, and a trace has "
            "room for one. Record the layer itself: attnviz.record(layer)."
        )
    if "length" in batch.root and not np.array_equal(batch.root["length"], lengths.numpy()):
        raise RuntimeError(
            f"{group} read sequences of lengths {lengths.tolist()}, but an earlier layer of the "
            f"same forward call read {batch.root['length'].tolist()}. Record the layers one by "
            "one: attnviz.record(layer)."
        )


def _ids_of(inputs: tuple[Any, ...], named: dict[str, Any]) -> Tensor:
    ids: Tensor = inputs[0] if inputs else named["inputs"]
    return ids


def _next_token_loss(logits: Tensor, ids: Tensor) -> np.ndarray:
    """Minus the log-likelihood of each following token; NaN at the last timestep."""
    with torch.no_grad():
        loss = nn.functional.cross_entropy(logits[:, :-1].mT, ids[:, 1:], reduction="none")
        return to_numpy(nn.functional.pad(loss, (0, 1), value=torch.nan))
