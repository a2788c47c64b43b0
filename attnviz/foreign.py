"""Traces of attention from anyone's own code, so that it can be analysed, drawn and stored."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr
from jaxtyping import Int, Num

from attnviz.text import joined_spans
from attnviz.trace import FORMAT, Trace

__all__ = ["from_arrays", "from_square"]

AXES = ("sequence", "time", "head", "lag")
Rows = list[np.ndarray]  # one array a sequence
Whole = Sequence[int] | Int[np.ndarray, " _"]
Labels = Sequence[int] | Sequence[float] | Num[np.ndarray, " _"]


def from_arrays(
    attention: "npt.ArrayLike | Sequence[npt.ArrayLike]",
    *,
    tokens: Sequence[Sequence[str]] | None = None,
    lags: "Whole | None" = None,
    lengths: "Whole | None" = None,
    contribution: "npt.ArrayLike | Sequence[npt.ArrayLike] | None" = None,
    ids: Sequence[str] | None = None,
    labels: "Labels | None" = None,
    name: str = "foreign model",
) -> Trace:
    """Makes a trace of weights that a model of your own paid to its past.

    Nothing is assumed of the weights: they may be negative and need not sum to one.

    Arguments:
        attention: Axes `(sequence, time, head, lag)` or `(sequence, time, lag)`, or one array a
            sequence, `(time, head, lag)` or `(time, lag)`, of different lengths. Entry `lag` at
            `time` is the weight of the state that many steps before. float16 and whole numbers are
            widened.
        tokens: The words of each sequence, one a timestep. They are joined by blanks to its text.
        lags: What stands along the axis `lag`; 1, 2, ... (1 is the step before) if not given.
        lengths: Timesteps of each sequence, needed where shorter ones are padded with numbers. If
            not given, only what is NaN at the end of a sequence is padding, and there are as many
            tokens as timesteps before it.
        contribution: Norms of what came back from each lag, shaped as `attention`.
        ids: A name for each sequence, each once; their numbers if not given.
        labels: The right class of each sequence (−1 where unknown), or numbers to be predicted.
        name: What to call the model.

    Returns:
        A trace with one group, `l0`, that holds `attention` and, where given, `contribution`; NaN
        beyond each sequence's length.

    Raises:
        ValueError: If shapes, numbers of tokens, lengths or names do not fit, or a weight within a
            sequence is NaN or infinite.
    """
    rows = _arrays(attention, "attention", ("time", "head", "lag"))
    steps = _lengths(rows, tokens, lengths)
    held = {"attention": _padded(rows, steps, "attention")}
    if contribution is not None:
        norms = _arrays(contribution, "contribution", ("time", "head", "lag"))
        _check_alike(norms, rows)
        held["contribution"] = _padded(norms, steps, "contribution")
    group = xr.Dataset(
        {signal: (AXES, values) for signal, values in held.items()},
        coords={"lag": _lags(lags, rows[0].shape[-1])},
        attrs={"direction": 1, "cell": name, "signals": "{}"},
    )
    root = _root(steps, tokens, ids, labels).assign_attrs(format=FORMAT, model=name, cell=name)
    return Trace(xr.DataTree.from_dict({"/": root, "l0": group}))


def from_square(
    attention: "npt.ArrayLike | Sequence[npt.ArrayLike]",
    *,
    tokens: Sequence[Sequence[str]] | None = None,
    lengths: "Whole | None" = None,
    ids: Sequence[str] | None = None,
    labels: "Labels | None" = None,
    name: str = "foreign model",
) -> Trace:
    """Makes a trace of causal token-by-token attention, such as a Transformer's.

    The weight of `source` at `time` becomes that of lag = time − source; lag 0 is the token itself.
    Lags that reach before the first token get 0.

    Arguments:
        attention: Axes `(sequence, head, time, source)` or `(sequence, time, source)`, or one array
            a sequence, `(head, time, source)` or `(time, source)`, of different lengths.
        tokens: As in `from_arrays`.
        lengths: As in `from_arrays`.
        ids: As in `from_arrays`.
        labels: As in `from_arrays`.
        name: What to call the model.

    Returns:
        A trace as from `from_arrays`, with as many lags as the longest sequence has timesteps.

    Raises:
        ValueError: If a matrix is not square, a token attends to a later one, or as in
            `from_arrays`.
    """
    rows = [
        row.swapaxes(0, 1) for row in _arrays(attention, "attention", ("head", "time", "source"))
    ]
    for sequence, row in enumerate(rows):
        if row.shape[0] != row.shape[-1]:
            raise ValueError(
                f"from_square needs as many sources as timesteps, but sequence {sequence} has "
                f"{row.shape[0]} timesteps and {row.shape[-1]} sources. Give weights by lag to "
                "from_arrays."
            )
    steps = _lengths(rows, tokens, lengths)
    longest = max(steps)
    trace = from_arrays(
        [
            _by_lag(row[:length, :, :length], longest, sequence)
            for sequence, (row, length) in enumerate(zip(rows, steps, strict=True))
        ],
        tokens=tokens,
        lags=range(longest),
        lengths=steps,
        ids=ids,
        labels=labels,
        name=name,
    )
    trace.tree["l0"].attrs["initial_state"] = False  # before the first token there is nothing
    return trace


def _by_lag(
    weights: Num[np.ndarray, "time head source"], longest: int, sequence: int
) -> Num[np.ndarray, "time head lag"]:
    """Turns sources into lags for one sequence."""
    time, source = np.arange(len(weights))[:, None], np.arange(len(weights))
    later = np.argwhere((weights.swapaxes(0, 1) != 0) & (source > time))
    if later.size:
        head, at, to = later[0].tolist()
        raise ValueError(
            f"from_square needs weights on the past only, but in sequence {sequence}, head {head}, "
            f"timestep {at} pays {weights[at, head, to]:g} to the later timestep {to}. Attention "
            "that looks ahead has no place on a time × lag map."
        )
    lagged = np.zeros((*weights.shape[:2], longest), weights.dtype)
    for lag in range(len(weights)):
        lagged[lag:, :, lag] = weights.diagonal(-lag, axis1=0, axis2=2).T
    return lagged


def _arrays(
    given: npt.ArrayLike | Sequence[npt.ArrayLike], what: str, axes: tuple[str, str, str]
) -> Rows:
    """One array of three axes a sequence; where there is no head, one is put in."""
    where = axes.index("head")
    try:
        rows = [np.asarray(row) for row in given]  # type: ignore[union-attr]
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{what} should be one array, or one a sequence ({error}).") from error
    if not rows:
        raise ValueError(f"{what} needs at least one sequence, but got none.")
    for sequence, row in enumerate(rows):
        if row.dtype.kind not in "fiub" or row.ndim not in (2, 3) or 0 in row.shape:
            raise ValueError(
                f"{what} needs numbers with axes ({', '.join(axes)}) or the same without head in "
                f"each sequence, but sequence {sequence} has shape {row.shape} and type "
                f"{row.dtype}. If there is one sequence only, put an axis in front: array[None]."
            )
    wide = [row.astype(np.result_type(row.dtype, np.float32)) for row in rows]
    return [np.expand_dims(row, where) if row.ndim == 2 else row for row in wide]


def _lengths(
    rows: Rows, tokens: Sequence[Sequence[str]] | None, lengths: Whole | None
) -> list[int]:
    """Timesteps of each sequence: as said, as many as tokens, or up to the NaN at the end."""
    counts = None if tokens is None else [len(words) for words in tokens]
    for what, said in (("lengths", lengths), ("tokens", counts)):
        if said is not None and len(said) != len(rows):
            raise ValueError(f"There are {len(rows)} sequences, but {what} holds {len(said)}.")
    if lengths is not None:
        steps = [int(length) for length in lengths]
    elif counts is not None:
        steps = counts
    else:
        steps = [_until_padding(row) for row in rows]
    for sequence, (row, length) in enumerate(zip(rows, steps, strict=True)):
        if not 1 <= length <= len(row):
            raise ValueError(
                f"Sequence {sequence} has {length} timesteps, but its attention has {len(row)}: "
                "give each sequence at least one and at most as many as there are weights for."
            )
        if counts is not None and counts[sequence] != length:
            raise ValueError(
                f"Sequence {sequence} has {length} timesteps, but {counts[sequence]} tokens."
            )
        if lengths is None and counts is not None and length < _until_padding(row):
            raise ValueError(
                f"Sequence {sequence} has {length} tokens, but weights for {_until_padding(row)} "
                "timesteps. Give one token a timestep, or, if the rest is padding, "
                "lengths=[len(words) for words in tokens]."
            )
    return steps


def _until_padding(row: Num[np.ndarray, "time head lag"]) -> int:
    """The timesteps before those at the end that hold nothing but NaN."""
    held = np.flatnonzero(~np.isnan(row).all(axis=(1, 2)))
    return int(held[-1]) + 1 if held.size else 0


def _padded(rows: Rows, steps: list[int], what: str) -> Num[np.ndarray, "sequence time head lag"]:
    """All sequences in one array, NaN beyond each length."""
    if len(sizes := {row.shape[1:] for row in rows}) > 1:
        raise ValueError(
            f"{what} needs the same heads and lags in all sequences, but has (heads, lags) "
            f"{sorted(sizes)}."
        )
    dtype = np.result_type(*rows)
    padded = np.full((len(rows), max(steps), *rows[0].shape[1:]), np.nan, dtype)
    for sequence, (row, length) in enumerate(zip(rows, steps, strict=True)):
        wrong = np.argwhere(~np.isfinite(row[:length]))
        if wrong.size:
            time, head, lag = wrong[0].tolist()
            raise ValueError(
                f"{what} needs a finite number at every timestep, but sequence {sequence} has "
                f"{row[time, head, lag]} at timestep {time} of {length} (head {head}, entry {lag})."
                " Give lengths if that is padding, and 0 where there is nothing to attend to."
            )
        padded[sequence, :length] = row[:length]
    return padded


def _check_alike(contribution: Rows, attention: Rows) -> None:
    if len(contribution) != len(attention):
        raise ValueError(
            f"contribution needs as many sequences as attention, {len(attention)}, but has "
            f"{len(contribution)}."
        )
    for sequence, (norms, weights) in enumerate(zip(contribution, attention, strict=True)):
        if norms.shape != weights.shape:
            raise ValueError(
                f"contribution needs the shape of attention, but in sequence {sequence} it has "
                f"(time, head, lag) {norms.shape} and attention {weights.shape}."
            )


def _lags(lags: Whole | None, count: int) -> Int[np.ndarray, " lag"]:
    given = np.arange(1, count + 1) if lags is None else np.asarray(lags)
    whole = given.dtype.kind in "iu" and given.ndim == 1
    if not whole or len(given) != count or len(set(given.tolist())) < count or given.min() < 0:
        raise ValueError(
            f"lags needs {count} different whole numbers of timesteps back, 0 or more, one for "
            f"each entry along the last axis, but is {str(lags)[:80]}."
        )
    return given.astype(np.int64)


def _root(
    steps: list[int],
    tokens: Sequence[Sequence[str]] | None,
    ids: Sequence[str] | None,
    labels: Labels | None,
) -> xr.Dataset:
    """What belongs to the sequences."""
    names = [str(row) for row in range(len(steps))] if ids is None else [str(one) for one in ids]
    if len(names) != len(steps) or len(set(names)) < len(names):
        raise ValueError(
            f"ids needs {len(steps)} different names, one a sequence, but got {len(names)}, of "
            f"which {len(set(names))} differ."
        )
    root = xr.Dataset(
        {
            "id": ("sequence", np.array(names, dtype=object)),
            "length": ("sequence", np.array(steps, dtype=np.int32)),
            "history": ("sequence", np.zeros(len(steps), dtype=np.int32)),
        }
    )
    if labels is not None:
        root["label"] = ("sequence", _labels(labels, len(steps)))
    if tokens is not None:
        root["text"] = ("sequence", np.array([" ".join(words) for words in tokens], dtype=object))
        root["span"] = (("sequence", "time", "edge"), _spans(tokens))
    return root


def _labels(labels: Labels, count: int) -> Num[np.ndarray, " sequence"]:
    given = np.asarray(labels)
    if given.shape != (count,) or given.dtype.kind not in "fiub":
        raise ValueError(
            f"labels needs {count} numbers, one a sequence, but has shape {given.shape} and type "
            f"{given.dtype}."
        )
    return given.astype(np.float32 if given.dtype.kind == "f" else np.int32)


def _spans(tokens: Sequence[Sequence[str]]) -> Int[np.ndarray, "sequence time edge"]:
    """Where each token stands in the text that the tokens make when joined by blanks."""
    spans = np.full((len(tokens), max(map(len, tokens)), 2), -1, dtype=np.int32)
    for row, words in enumerate(tokens):
        spans[row, : len(words)] = joined_spans(words)
    return spans
