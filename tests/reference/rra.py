"""Recurrent residual attention (Wang, 2017, arXiv:1709.03714)."""

import math

import numpy as np

from tests.reference.arithmetic import as_it_is
from tests.reference.lstm import lstm_step


def kernel(w, present, *, normalization, missing):
    """The weight of every lag, given which of them exist."""
    summed = [j for j in range(len(w)) if present[j] or missing == "zero"]
    if normalization == "softmax":
        w = [math.exp(score) for score in w]
    total = sum(w[j] for j in summed)
    return [w[j] / total if j in summed else 0.0 for j in range(len(w))]


def rra(xs, W, U, b, w, *, h, c, past, first_lag, normalization, missing,
        use=as_it_is):  # fmt: skip
    """One sequence; `past` holds the hidden states so far, the oldest first."""
    past, steps = list(past), []
    for t, x in enumerate(xs):
        step = lstm_step(x, h, c, W, U, b, t=t, use=use)
        n, k = len(h), len(w)
        lags = [first_lag + j for j in range(k)]
        present = [lag <= len(past) for lag in lags]
        weights = kernel(w, present, normalization=normalization, missing=missing)

        parts = np.zeros((k, n))
        for j in range(k):
            if present[j]:
                earlier = use("shortcut", lags[j], t, past[-lags[j]])
                parts[j] = [weights[j] * float(unit) for unit in earlier]
        context = [math.fsum(parts[j][u] for j in range(k)) for u in range(n)]
        memory = use("hidden", None, t, step["memory"])
        for u in range(n):
            step["hidden"][u] = step["output_gate"][u] * math.tanh(memory[u] + context[u])

        step["context"] = np.array(context)
        step["attention"] = step["attention_used"] = np.array([weights])
        norms = [math.sqrt(sum(float(unit) ** 2 for unit in part)) for part in parts]
        step["contribution"] = np.array([norms])
        h, c = step["hidden"], step["memory"]
        past.append(h)
        steps.append(step)
    return {name: np.stack([step[name] for step in steps]) for name in steps[0]}
