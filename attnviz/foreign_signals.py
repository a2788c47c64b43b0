"""Gates, gradients and predictions of anyone's own model, beside its attention in a trace."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from jaxtyping import Num

from attnviz.trace import Trace, layer_groups

__all__ = ["with_signals"]

Rows = npt.ArrayLike | Sequence[npt.ArrayLike]
Route = str | tuple[str, int]
Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]
_SEQUENCE_TIME = ("sequence", "time")


def with_signals(
    trace: Trace,
    *,
    gates: "Mapping[str, Rows] | None" = None,
    gate_attention: "Rows | None" = None,
    gradient: "Rows | None" = None,
    routes: "Mapping[Route, Rows] | None" = None,
    place: Literal["hidden", "memory", "input"] = "hidden",
    logits: "Rows | None" = None,
    classes: Sequence[str] | None = None,
) -> Trace:
    """Adds what else a model of your own can tell to a trace of its attention.

    Arrays have the axis `sequence` first, or are one a sequence, of different lengths.

    Arguments:
        trace: Of `from_arrays` or `from_square`.
        gates: By name, such as `update_gate`: axes `(time, unit)`.
        gate_attention: Axes `(time, age)`, the weight of what was written so many timesteps ago, 0
            being now.
        gradient: Of the loss at each timestep: axes `(time, unit)`.
        routes: The parts of that gradient, by the edge on which each came back: axes `(time,
            unit)`. A route with lags has an entry for each, such as `("shortcut", 2)`.
        place: Where gradient and routes arrive.
        logits: Of a class head. Axes `(time, class)`, what it would say if the sequence ended
            there; or `(class,)`, what it says at the end.
        classes: Names of the classes; their numbers if not given.

    Returns:
        A new trace that shares the arrays of the first; the last of its layers holds the signals.

    Raises:
        ValueError: If shapes do not fit the trace, a number within a sequence is not finite, or
            there are classes and no logits.
    """
    if classes is not None and logits is None:
        raise ValueError(
            "classes name what logits tell apart, but no logits were given. Pass logits=..., of "
            "the end of each sequence or of each timestep, or leave classes out."
        )
    root, groups = trace.tree.to_dataset(), layer_groups(trace)
    steps = [int(length) for length in root["length"].values]
    group = trace.tree[groups[-1]].to_dataset()
    held: Variables = {}
    for name, rows in (gates or {}).items():
        held[name] = (*_SEQUENCE_TIME, "unit"), _padded(rows, steps, name, "unit")
    if gate_attention is not None:
        weights = _padded(gate_attention, steps, "gate_attention", "age")
        held["gate_attention"] = (*_SEQUENCE_TIME, "age"), weights
        group = group.assign_coords(age=np.arange(weights.shape[-1]))
    if routes is not None:
        group = group.assign_coords(_route_labels(routes, place))
    held |= _gradients(gradient, routes, place, steps)
    said = {} if logits is None else _predictions(logits, steps)
    for name, (axes, values) in said.items():
        root[name] = (axes, values)
    if said:
        count = root.sizes["class"]
        root = root.assign_coords({"class": _names(classes, count)})
    nodes = {f"/{name}": trace.tree[name].to_dataset() for name in groups[:-1]}
    tree = {"/": root, **nodes, f"/{groups[-1]}": group.assign(held)}
    return Trace(xr.DataTree.from_dict(tree))


def _gradients(
    gradient: Rows | None, routes: Mapping[Route, Rows] | None, place: str, steps: list[int]
) -> Variables:
    """Norms and, of routes, their projections on the whole; as recording stores them."""
    if gradient is None and routes is None:
        return {}
    whole = None if gradient is None else _padded(gradient, steps, "gradient", "unit")
    if routes is None:
        norm = np.linalg.norm(_known(whole), axis=-1)
        return {f"{place}_gradient_norm": (_SEQUENCE_TIME, norm)}
    parts = [_padded(rows, steps, f"the route {name!r}", "unit") for name, rows in routes.items()]
    if len({part.shape for part in parts} | {_known(whole, parts[0]).shape}) > 1:
        raise ValueError("The gradient and all its routes need the same number of units.")
    vectors = np.stack(parts, axis=2)  # (sequence, time, route, unit)
    total = vectors.sum(axis=2)
    whole = _known(whole, total)
    norm, norms = np.linalg.norm(whole, axis=-1), np.linalg.norm(vectors, axis=-1)
    missed = np.linalg.norm(total - whole, axis=-1)
    along = (vectors * whole[:, :, None]).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        projection = np.where(norm[..., None] > 0, along / norm[..., None], 0 * along)
        cancellation, residual = norms.sum(axis=-1) / norm, missed / norm
    by_route = (*_SEQUENCE_TIME, f"{place}_route")
    return {
        f"{place}_gradient_norm": (_SEQUENCE_TIME, norm),
        f"{place}_route_norm": (by_route, norms),
        f"{place}_route_projection": (by_route, projection),
        f"{place}_cancellation": (_SEQUENCE_TIME, cancellation),
        f"{place}_route_residual": (_SEQUENCE_TIME, residual),
    }


def _known(array: np.ndarray | None, otherwise: np.ndarray | None = None) -> np.ndarray:
    return np.asarray(array if array is not None else otherwise)


def _route_labels(routes: Mapping[Route, Rows], place: str) -> dict[str, tuple[str, np.ndarray]]:
    """Labels of the route axis, with the kind of each and its lag."""
    pairs = [(route, 0) if isinstance(route, str) else route for route in routes]
    axis = f"{place}_route"
    labels = [f"{name} {lag}" if lag else name for name, lag in pairs]
    found = {axis: (axis, np.array(labels, dtype=object))}
    if place != "input":
        found[f"{axis}_kind"] = axis, np.array([name for name, _ in pairs], dtype=object)
        found[f"{axis}_lag"] = axis, np.array([lag for _, lag in pairs], dtype=np.int32)
    return found


def _predictions(logits: Rows, steps: list[int]) -> Variables:
    """What a head says at the end and, where it is given, on the way."""
    rows = _rows(logits, len(steps), "logits")
    if all(row.ndim == 1 for row in rows):
        if len({row.shape for row in rows}) > 1 or not np.isfinite(np.stack(rows)).all():
            raise ValueError("logits needs one finite number a class for each sequence.")
        return {"prediction": (("sequence", "class"), np.stack(rows))}
    score = _padded(logits, steps, "logits", "class")
    ends = score[np.arange(len(steps)), np.array(steps) - 1]
    return {
        "score": ((*_SEQUENCE_TIME, "class"), score),
        "prediction": (("sequence", "class"), ends),
    }


def _names(classes: Sequence[str] | None, count: int) -> np.ndarray:
    if classes is None:
        return np.array([str(number) for number in range(count)], dtype=object)
    if len(classes) != count:
        raise ValueError(f"There are {count} classes, but {len(classes)} names.")
    return np.array([str(name) for name in classes], dtype=object)


def _rows(given: Rows, count: int, what: str) -> list[np.ndarray]:
    if len(rows := [np.asarray(row) for row in _several(given)]) != count:
        raise ValueError(f"The trace has {count} sequences, but {what} has {len(rows)}.")
    return [row.astype(np.result_type(row.dtype, np.float32)) for row in rows]


def _several(given: Any) -> list[Any]:  # noqa: ANN401  (an array, or one a sequence)
    return list(given)


def _padded(
    given: Rows, steps: list[int], what: str, axis: str
) -> Num[np.ndarray, "sequence time _"]:
    """All sequences in one array, NaN beyond each length."""
    rows = _rows(given, len(steps), what)
    for sequence, (row, length) in enumerate(zip(rows, steps, strict=True)):
        if row.ndim != 2 or row.shape[0] < length or row.shape[1] != rows[0].shape[-1]:
            raise ValueError(
                f"{what} needs axes (time, {axis}) with as many entries in every sequence, but "
                f"sequence {sequence} of {length} timesteps has the shape {row.shape}."
            )
        if not np.isfinite(row[:length]).all():
            time = int(np.flatnonzero(~np.isfinite(row[:length]).all(axis=1))[0])
            raise ValueError(
                f"{what} needs finite numbers, but sequence {sequence} has none at timestep {time}."
            )
    padded = np.full((len(rows), max(steps), rows[0].shape[1]), np.nan, np.result_type(*rows))
    for sequence, (row, length) in enumerate(zip(rows, steps, strict=True)):
        padded[sequence, :length] = row[:length]
    return padded
