"""The recurrent attention unit (Zhong, Yue and Ling, 2018, arXiv:1810.12754), equations 1-8."""

import math

import numpy as np

from tests.reference.arithmetic import as_it_is, dot, sigmoid, softmax


def attended_candidate(attention, both, V, b_v, *, reading, times):
    """ĥ in the three readings of equations 6 and 7; every weight counts `times` times."""
    units = range(len(V))
    if reading == "input":
        read = [times * attention[n] * both[n] for n in range(len(both))]
        return [math.tanh(dot(V[u], read) + b_v[u]) for u in units]
    if reading == "hidden":
        return [math.tanh(times * attention[u] * (dot(V[u], both) + b_v[u])) for u in units]
    return [times * attention[u] * math.tanh(dot(V[u], both) + b_v[u]) for u in units]


def rau(xs, W, U, b, A, b_a, V, b_v, *, h, reading, rescale, use=as_it_is):
    """One sequence; `W`, `U`, `b` by gate, `A` scores the features, `V` makes the candidate."""
    n, steps = len(h), []
    for t, x in enumerate(xs):
        for_z, for_r = use("update_gate", None, t, h), use("reset_gate", None, t, h)
        past, carried = use("candidate", None, t, h), use("carry", None, t, h)
        z = [sigmoid(dot(W["z"][u], x) + dot(U["z"][u], for_z) + b["z"][u]) for u in range(n)]
        r = [sigmoid(dot(W["r"][u], x) + dot(U["r"][u], for_r) + b["r"][u]) for u in range(n)]
        kept = [r[u] * past[u] for u in range(n)]
        plain = [math.tanh(dot(W["h"][u], x) + dot(U["h"][u], kept) + b["h"][u]) for u in range(n)]

        scored = [*x, *use("attention_score", None, t, h)]
        both = [*x, *use("attention_value", None, t, h)]
        attention = softmax([dot(A[m], scored) + b_a[m] for m in range(len(A))])
        times = len(attention) if rescale else 1
        attended = attended_candidate(attention, both, V, b_v, reading=reading, times=times)

        h = [
            (1 - z[u]) * carried[u] + z[u] * plain[u] / 2 + z[u] * attended[u] / 2 for u in range(n)
        ]
        steps.append(
            {
                "hidden": h,
                "update_gate": z,
                "reset_gate": r,
                "candidate": [(plain[u] + attended[u]) / 2 for u in range(n)],
                "plain_candidate": plain,
                "attended_candidate": attended,
                "feature_attention": attention,
            }
        )
    return {name: np.array([step[name] for step in steps]) for name in steps[0]}
