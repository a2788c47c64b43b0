"""One number for each token of a sequence, to colour its text with."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from attnviz.analysis.attention import attention_map
from attnviz.analysis.contribution import contribution_norm
from attnviz.analysis.gates import gate_attention
from attnviz.analysis.reduce import choose_head
from attnviz.analysis.selection import declared, one_sequence
from attnviz.analysis.statistic import Statistic
from attnviz.outcomes import predicts_numbers, predicts_words
from attnviz.trace import Trace, group_for, layer_groups, signal

__all__ = ["TOKEN_SCORES", "prediction_change", "recorded_scores", "surprisal", "token_score"]

#: What each kind of token score says, and the signal it needs.
TOKEN_SCORES = {
    "contribution_received": ("contribution", "contribution to all later timesteps, summed"),
    "attention_received": ("attention", "attention from all later timesteps, summed"),
    "gate_attention_received": ("gate_attention", "gate attention from later timesteps, summed"),
    "prediction_change": ("score", "what reading the token did to the class margin"),
    "surprisal": ("loss", "surprisal, given the tokens before"),
    "hidden_gradient_norm": ("hidden_gradient_norm", "norm of the loss's gradient at h_t"),
    "memory_gradient_norm": ("memory_gradient_norm", "norm of the loss's gradient at c_t"),
}

_BY_SOURCE: dict[str, tuple[Callable[[Trace, str], Statistic], str]] = {
    "attention_received": (lambda trace, group: attention_map(trace, group=group), "lag"),
    "contribution_received": (lambda trace, group: contribution_norm(trace, group=group), "lag"),
    "gate_attention_received": (lambda trace, group: gate_attention(trace, group=group), "age"),
}


def recorded_scores(trace: Trace) -> list[str]:
    """The kinds of token score that a trace holds the signal for.

    Arguments:
        trace: Any trace.

    Returns:
        Keys of `TOKEN_SCORES`, in its order.
    """
    held = {str(name) for name in trace.tree.data_vars}
    for group in layer_groups(trace):
        held |= {str(name) for name in trace.tree[group].data_vars}
    return [kind for kind, (needed, _) in TOKEN_SCORES.items() if needed in held]


def token_score(
    trace: Trace,
    sequence: int,
    *,
    kind: str = "attention_received",
    group: str | None = None,
    head: int | Sequence[int] | None = None,
) -> Statistic:
    r"""One score for each token of a sequence.

    - `attention_received`: :math:`r_s = \sum_t w_t(\text{lag } t - s)`, the attention that later
      timesteps pay to the state at `s`. The last tokens have few later timesteps, and score low
      for that reason alone. What falls on the initial state, on missing history or on history
      carried in belongs to no token.
    - `contribution_received`: the same sum of contribution norms.
    - `gate_attention_received`: the same sum of gate attention, over the recorded ages from 1 on.
    - `prediction_change`: see `prediction_change`, for the predicted class.
    - `surprisal`: see `surprisal`, of a language model.
    - `hidden_gradient_norm`, `memory_gradient_norm`: as recorded.

    Arguments:
        trace: Must hold the signal that the kind needs (`TOKEN_SCORES`).
        sequence: Index of the sequence.
        kind: One of `TOKEN_SCORES`.
        group: The layer and direction; the first that holds the signal if not given.
        head: One head, or several, whose mean is taken; the mean over all if not given.

    Returns:
        Axes `(time)`, as many as the sequence has timesteps.

    Raises:
        KeyError: If the trace does not hold the signal.
        ValueError: If there is no such kind of score.
    """
    if kind not in TOKEN_SCORES:
        raise ValueError(f"There is no token score {kind!r}; choose one of {list(TOKEN_SCORES)}.")
    if kind == "prediction_change":
        return prediction_change(trace, sequence)
    if kind == "surprisal":
        return surprisal(trace, sequence)
    part = one_sequence(trace, sequence)
    if kind in _BY_SOURCE:
        of, axis = _BY_SOURCE[kind]
        group = group_for(part, TOKEN_SCORES[kind][0], group)
        return _received(part, group, of(part, group), axis, head)
    values = signal(part, kind, group).isel(sequence=0).astype(np.float64)
    symbol = declared(part, group_for(part, kind, group), kind).symbol
    return Statistic(kind.replace("_", " "), values, "norm", (0.0, float("inf")), symbol=symbol)


def prediction_change(trace: Trace, sequence: int, *, target: int | None = None) -> Statistic:
    r"""What reading each token did to the prediction.

    .. math:: \Delta_t = m_t - m_{t-1}, \qquad m_t = s_{t,y} - \max_{y' \ne y} s_{t,y'}

    with the score :math:`s_t` the head would give if the sequence ended at `t`. Positive: towards
    the class `y`. A head with a single output has no other class, and predicted numbers are no
    classes: the margin is the output itself.

    Arguments:
        trace: Must hold `score`.
        sequence: Index of the sequence.
        target: The class `y`, or which of several predicted numbers; the class with the highest
            score at the end, or the first number, if not given.

    Returns:
        Axes `(time)`, in units of the score (logits). NaN at the first timestep, which has no
        score before it.

    Raises:
        KeyError: If the trace holds no `score`.
        IndexError: If there is no class `target`.
    """
    part = one_sequence(trace, sequence)
    if "score" not in part.tree.data_vars:
        raise KeyError(
            "prediction_change needs the running score of each timestep, but the trace holds no "
            "'score'. It is recorded for unidirectional models with a class head."
        )
    score = part.tree["score"].isel(sequence=0).astype(np.float64)
    count, numbers = score.sizes["class"], predicts_numbers(trace)
    chosen = target
    if chosen is None:
        chosen = 0 if numbers else int(score.values[-1].argmax())
    if not 0 <= chosen < count:
        raise IndexError(f"The trace has {count} classes, numbered from 0, and no class {chosen}.")
    if numbers:
        score, chosen = score.isel({"class": [chosen]}), 0
    change = xr.apply_ufunc(
        _margin_change, score, np.array(chosen),
        input_core_dims=[["time", "class"], []], output_core_dims=[["time"]],
    )  # fmt: skip
    name = str(score["class"].values[chosen]) if "class" in score.coords else f"class {chosen}"
    if numbers:
        return Statistic(f"change of the predicted “{name}”", change, "", symbol="Δ")
    return Statistic(f"change of the margin of “{name}”", change, "logits", symbol="Δm")


def surprisal(trace: Trace, sequence: int) -> Statistic:
    r"""How little a language model expected each token.

    .. math:: s_t = -\ln p(x_t \mid x_{<t})

    Over a text that is read without a break its mean is the logarithm of the perplexity.

    Arguments:
        trace: Must hold `loss`, that of each next token.
        sequence: Index of the sequence.

    Returns:
        Axes `(time)`, in nats. NaN at the first timestep, of which a trace holds no loss: nothing
        predicts it, or the piece before does.

    Raises:
        KeyError: If the trace holds no `loss`.
    """
    part = one_sequence(trace, sequence)
    if not predicts_words(part):
        raise KeyError(
            "surprisal needs the loss of each next token, but the trace holds no 'loss'. It is "
            "recorded for language models."
        )
    values = part.tree["loss"].isel(sequence=0).astype(np.float64).shift(time=1)
    return Statistic("surprisal", values, "nats", (0.0, float("inf")), symbol="−ln p")


def _received(
    trace: Trace, group: str, statistic: Statistic, axis: str, head: int | Sequence[int] | None
) -> Statistic:
    name = f"{statistic.name} received"
    if "head" in statistic.values.dims and statistic.values.sizes["head"] > 1:
        name += _heads(head)
    if "head" in statistic.values.dims and head is not None:
        statistic = choose_head(statistic, head)
    weights = statistic.values.isel(sequence=0)
    weights = weights.mean("head", skipna=False) if "head" in weights.dims else weights
    weights = weights.isel({axis: weights[axis].values > 0})
    signed = bool((weights < 0).any())
    values = xr.apply_ufunc(
        _sum_at_source, weights, weights[axis] * trace.tree[group].attrs["direction"],
        input_core_dims=[["time", axis], [axis]], output_core_dims=[["time"]],
    )  # fmt: skip
    return Statistic(
        name, values, f"{statistic.unit}, summed", None if signed else (0.0, float("inf")),
        symbol=f"Σ {statistic.symbol}" if statistic.symbol else "",
    )  # fmt: skip


def _sum_at_source(
    weights: Float[np.ndarray, "time lag"], lags: Int[np.ndarray, " lag"]
) -> Float[np.ndarray, " time"]:
    received = np.zeros(len(weights))
    for column, lag in zip(weights.T, lags, strict=True):
        if lag > 0:
            received[:-lag] += column[lag:]
        else:
            received[-lag:] += column[:lag]
    return received


def _margin_change(
    score: Float[np.ndarray, "time class"], chosen: Int[np.ndarray, ""]
) -> Float[np.ndarray, " time"]:
    others = np.delete(score, int(chosen), axis=-1)
    margin = score[:, int(chosen)] - (others.max(-1) if others.shape[-1] else 0.0)
    return np.diff(margin, prepend=np.nan)


def _heads(head: int | Sequence[int] | None) -> str:
    if head is None:
        return ", mean over heads"
    chosen = [head] if isinstance(head, int) else list(head)
    several = "mean over heads" if len(chosen) > 1 else "head"
    return f", {several} {', '.join(map(str, chosen))}"
