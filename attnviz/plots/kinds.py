"""The plots by name, all called alike: what `attnviz plot --kind` chooses from.

A plot's module is imported when it is first drawn, so that one figure waits for no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from attnviz.plots.options import PlotOptions
from attnviz.trace import Trace, layer_groups

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from attnviz.analysis.learning import RunCurve, StudyCurves
    from attnviz.analysis.statistic import Statistic

__all__ = ["EFFECT_KINDS", "KINDS", "PlotKind", "drawable_effects", "drawable_kinds", "shown_of"]

Source_contra = TypeVar(
    "Source_contra",
    bound="Trace | xr.Dataset | xr.DataTree | StudyCurves | RunCurve",
    contravariant=True,  # what draws either of two draws each
)
_NO_LAG = np.array(0)
_OF_SEQUENCE = ("sequence", "group", "tokens")


@dataclass(frozen=True)
class PlotKind(Generic[Source_contra]):
    """A plot that can be chosen by name.

    Arguments:
        shows: What it shows, in a sentence.
        needs: The signals it can be drawn from; one of them is enough.
        draw: Draws it.
        numbers: What it draws, as a statistic.
        takes: Which of the options mean something for it.
        together: Draws several traces, by the name to show, in one figure; not every kind can.
    """

    shows: str
    needs: tuple[str, ...]
    draw: "Callable[[Source_contra, PlotOptions], Figure]"
    numbers: "Callable[[Source_contra, PlotOptions], Statistic]"
    takes: tuple[str, ...]
    together: "Callable[[Mapping[str, Source_contra], PlotOptions], Figure] | None" = None


def _heatmap(trace: Trace, o: PlotOptions) -> "Figure":
    from attnviz.plots.heatmap import plot_heatmap

    return plot_heatmap(
        trace, sequence=o.sequence, group=o.group, head=o.head, tokens=o.tokens, wrap=o.wrap,
        limits=o.limits, lags=o.lags,
    )  # fmt: skip


def _contribution(trace: Trace, o: PlotOptions) -> "Figure":
    from attnviz.plots.contribution import plot_contribution

    return plot_contribution(
        trace, sequence=o.sequence, group=o.group, head=o.head, tokens=o.tokens, wrap=o.wrap,
        limits=o.limits, lags=o.lags,
    )  # fmt: skip


def _of_lags(name: str) -> "Callable[[Trace, PlotOptions], Statistic]":
    def numbers(trace: Trace, o: PlotOptions) -> "Statistic":
        from attnviz.plots.lag_map import lag_numbers

        return lag_numbers(trace, name, o)

    return numbers


def _gate_attention(trace: Trace, o: PlotOptions) -> "Figure":
    from attnviz.plots.gate_attention import plot_gate_attention

    return plot_gate_attention(
        trace, sequence=o.sequence, group=o.group, tokens=o.tokens, wrap=o.wrap, limits=o.limits,
        lags=o.lags,
    )  # fmt: skip


def _gate_attention_numbers(trace: Trace, o: PlotOptions) -> "Statistic":
    from attnviz.plots.gate_attention import gate_attention_numbers

    return gate_attention_numbers(trace, o)


def _feature_attention(trace: Trace, o: PlotOptions) -> "Figure":
    from attnviz.plots.feature_attention import plot_feature_attention

    return plot_feature_attention(
        trace, sequence=o.sequence, group=o.group, tokens=o.tokens, wrap=o.wrap, limits=o.limits
    )


def _feature_attention_numbers(trace: Trace, o: PlotOptions) -> "Statistic":
    from attnviz.plots.feature_attention import feature_attention_numbers

    return feature_attention_numbers(trace, o)


def _text(trace: Trace, o: PlotOptions) -> "Figure":
    from attnviz.plots.text_view import plot_text

    return plot_text(
        trace, sequence=o.sequence, score=o.score, group=o.group, head=o.head, tokens=o.tokens,
        limits=o.limits,
    )  # fmt: skip


def _text_numbers(trace: Trace, o: PlotOptions) -> "Statistic":
    from attnviz.plots.text_view import text_numbers

    return text_numbers(trace, o)


def _lag_kernel(trace: Trace, o: PlotOptions) -> "Figure":
    return _lag_kernels({str(trace.tree.attrs.get("model", "model")): trace}, o)


def _lag_kernels(traces: Mapping[str, Trace], o: PlotOptions) -> "Figure":
    from attnviz.plots.curves import draw_lag_kernels

    return draw_lag_kernels(traces, o)


def _lag_kernel_numbers(trace: Trace, o: PlotOptions) -> "Statistic":
    from attnviz.plots.lag_kernel import lag_kernel_numbers

    return lag_kernel_numbers(trace, o)


def _gradient_flow(trace: Trace, o: PlotOptions) -> "Figure":
    from attnviz.plots.gradient_flow import plot_gradient_flow

    return plot_gradient_flow(
        trace, sequence=o.sequence, group=o.group, tokens=o.tokens, wrap=o.wrap, limits=o.limits
    )


def _gradient_flow_numbers(trace: Trace, o: PlotOptions) -> "Statistic":
    from attnviz.plots.gradient_flow import gradient_flow_numbers

    return gradient_flow_numbers(trace, o)


def _shortcut(trace: Trace, o: PlotOptions) -> "Figure":
    from attnviz.plots.shortcut import plot_shortcut

    return plot_shortcut(
        trace, sequence=o.sequence, group=o.group, tokens=o.tokens, wrap=o.wrap, limits=o.limits,
        lags=o.lags,
    )  # fmt: skip


def _shortcut_numbers(trace: Trace, o: PlotOptions) -> "Statistic":
    from attnviz.plots.shortcut import shortcut_numbers

    return shortcut_numbers(trace, o)


def _exit_routes(trace: Trace, o: PlotOptions) -> "Figure":
    return _exit_routes_together({str(trace.tree.attrs.get("model", "model")): trace}, o)


def _exit_routes_together(traces: Mapping[str, Trace], o: PlotOptions) -> "Figure":
    from attnviz.plots.exit_routes import plot_exit_routes

    return plot_exit_routes(traces, longest=_furthest(o))


def _exit_routes_numbers(trace: Trace, o: PlotOptions) -> "Statistic":
    from attnviz.analysis.flow import route_share_by_distance
    from attnviz.analysis.selection import reaching

    part, last = reaching(trace, _furthest(o))
    shares = route_share_by_distance(part, place="input")
    near, error = slice(0, last + 1), shares.uncertainty
    return replace(
        shares,
        values=shares.values.isel(distance=near),
        uncertainty=None if error is None else error.isel(distance=near),
    )


def _furthest(o: PlotOptions) -> int | None:
    return None if o.lags is None else o.lags[1] - 1


def _ablation(effects: "xr.Dataset", o: PlotOptions) -> "Figure":
    from attnviz.plots.curves import draw_ablation

    return draw_ablation(effects, o)


def _ablation_numbers(effects: "xr.Dataset", o: PlotOptions) -> "Statistic":
    from attnviz.plots.curves import ablation_numbers

    return ablation_numbers(effects, o)


def _effect_against(effects: "xr.Dataset", o: PlotOptions) -> "Figure":
    from attnviz.plots.curves import draw_effect_against

    return draw_effect_against(effects, o)


def _effect_against_numbers(effects: "xr.Dataset", o: PlotOptions) -> "Statistic":
    from attnviz.plots.curves import effect_against_numbers

    return effect_against_numbers(effects, o)


KINDS: Mapping[str, PlotKind[Trace]] = {
    "heatmap": PlotKind(
        "The attention of each timestep to each lag, with the tokens below.",
        ("attention",), _heatmap, _of_lags("attention"), (*_OF_SEQUENCE, "head", "lags", "limits"),
    ),
    "contribution": PlotKind(
        "The norm of weight times value for each timestep and lag, with the tokens below.",
        ("contribution",), _contribution, _of_lags("contribution"),
        (*_OF_SEQUENCE, "head", "lags", "limits"),
    ),
    "gate-attention": PlotKind(
        "How much of each earlier candidate the gates keep, by age, with the tokens below.",
        ("gate_attention",), _gate_attention, _gate_attention_numbers,
        (*_OF_SEQUENCE, "lags", "limits"),
    ),
    "feature-attention": PlotKind(
        "Which features get more than an equal share of the attention, with the tokens below.",
        ("feature_attention",), _feature_attention, _feature_attention_numbers,
        (*_OF_SEQUENCE, "limits"),
    ),
    "text": PlotKind(
        "The text, each token in the colour of its score.",
        (
            "contribution", "attention", "gate_attention", "score", "hidden_gradient_norm",
            "memory_gradient_norm",
        ),
        _text, _text_numbers, (*_OF_SEQUENCE, "head", "limits", "score"),
    ),
    "lag-kernel": PlotKind(
        "The attention by lag (or the gate attention by age): static, or a mean with its spread.",
        ("attention", "gate_attention"), _lag_kernel, _lag_kernel_numbers,
        ("group", "head", "lags", "limits"), _lag_kernels,
    ),
    "gradient-flow": PlotKind(
        "The gradient at each timestep, and the shares of the routes by which it came back.",
        ("input_route_projection", "hidden_route_projection"),
        _gradient_flow, _gradient_flow_numbers, (*_OF_SEQUENCE, "limits"),
    ),
    "shortcut": PlotKind(
        "What came back to each timestep by each lag of RRA's shortcut or LARNN's attention.",
        ("hidden_route_projection", "memory_route_projection"), _shortcut, _shortcut_numbers,
        (*_OF_SEQUENCE, "lags", "limits"),
    ),
    "exit-routes": PlotKind(
        "The gradient at the input by distance from the end, and the routes by which it left.",
        ("input_route_projection",), _exit_routes, _exit_routes_numbers, ("lags",),
        _exit_routes_together,
    ),
}  # fmt: skip

EFFECT_KINDS: "Mapping[str, PlotKind[xr.Dataset]]" = {
    "ablation": PlotKind(
        "What changes when attention cannot read something, with its intervals.",
        (), _ablation, _ablation_numbers, ("limits", "measure"),
    ),
    "effect-against": PlotKind(
        "Whether what is read more matters more: each effect against what was read.",
        ("contribution", "attention"), _effect_against, _effect_against_numbers,
        ("score", "measure"),
    ),
}  # fmt: skip


def drawable_kinds(trace: Trace) -> list[str]:
    """The kinds that a trace holds the signals for, the most telling first.

    Without a text, as of sensor data, the text view would show numbers of timesteps: it is left out
    where there is another kind.

    Arguments:
        trace: Any trace.

    Returns:
        Names of `KINDS`, in its order.
    """
    nodes = [trace.tree, *(trace.tree[group] for group in layer_groups(trace))]
    held = {str(name) for node in nodes for name in node.data_vars}
    found = [name for name, kind in KINDS.items() if held & set(kind.needs)]
    lagged = any(
        (trace.tree[group].coords.get(f"{place}_route_lag", _NO_LAG) != 0).any()
        for group in layer_groups(trace)
        for place in ("hidden", "memory")
    )
    found = [name for name in found if lagged or name != "shortcut"]
    readable = _has_text(trace) or found == ["text"]
    return [name for name in found if readable or name != "text"]


def shown_of(trace: Trace, kind: str) -> str:
    """What a kind shows of a trace, in a sentence: below stand tokens only where there are some.

    Arguments:
        trace: Any trace.
        kind: A name of `KINDS`.

    Returns:
        The sentence.
    """
    said = KINDS[kind].shows
    return said if _has_text(trace) else said.replace("with the tokens", "with the timesteps")


def _has_text(trace: Trace) -> bool:
    return "span" in trace.tree.data_vars


def drawable_effects(effects: "xr.Dataset") -> list[str]:
    """The kinds that effects of ablations can be drawn as.

    Arguments:
        effects: As `attnviz.ablate` gives them.

    Returns:
        Names of `EFFECT_KINDS`.
    """
    by_step = effects.attrs.get("level") == "step" and "contribution" in effects
    return ["ablation", "effect-against"] if by_step else ["ablation"]
