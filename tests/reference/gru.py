"""The GRU: reset before the recurrent product (Cho et al., 2014) or after it (cuDNN).

The update gate is the weight of the candidate.
"""

import math

import numpy as np

from tests.reference.arithmetic import as_it_is, dot, sigmoid


def gru(xs, W, U, b, b_hidden, *, h, reset, use=as_it_is):
    """One sequence; `W`, `U`, `b` by gate; `b_hidden` inside the reset, where it comes after."""
    n, steps = len(h), []
    for t, x in enumerate(xs):
        for_z, for_r = use("update_gate", None, t, h), use("reset_gate", None, t, h)
        past, kept = use("candidate", None, t, h), use("carry", None, t, h)
        z = [sigmoid(dot(W["z"][u], x) + dot(U["z"][u], for_z) + b["z"][u]) for u in range(n)]
        r = [sigmoid(dot(W["r"][u], x) + dot(U["r"][u], for_r) + b["r"][u]) for u in range(n)]
        candidate = []
        for u in range(n):
            if reset == "before":
                recurrent = dot(U["h"][u], [r[v] * past[v] for v in range(n)])
            else:
                recurrent = r[u] * (dot(U["h"][u], past) + b_hidden[u])
            candidate.append(math.tanh(dot(W["h"][u], x) + b["h"][u] + recurrent))
        h = [(1 - z[u]) * kept[u] + z[u] * candidate[u] for u in range(n)]
        steps.append({"hidden": h, "update_gate": z, "reset_gate": r, "candidate": candidate})
    return {name: np.array([step[name] for step in steps]) for name in steps[0]}
