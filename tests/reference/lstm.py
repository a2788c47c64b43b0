"""The LSTM with a forget gate (Gers et al., 2000), without peepholes."""

import math

import numpy as np

from tests.reference.arithmetic import as_it_is, dot, sigmoid

SIGNALS = ("hidden", "memory", "input_gate", "forget_gate", "output_gate", "candidate")


def lstm_step(x, h, c, W, U, b, *, t=0, use=as_it_is):
    """The gates and the memory; `W`, `U` and `b` by gate."""
    n = len(h)
    inner, outer = use("gates", None, t, h), use("candidate", None, t, h)
    c = use("memory", None, t, c)
    step = {name: np.zeros(n) for name in SIGNALS}
    for u in range(n):
        i = sigmoid(dot(W["i"][u], x) + dot(U["i"][u], inner) + b["i"][u])
        f = sigmoid(dot(W["f"][u], x) + dot(U["f"][u], inner) + b["f"][u])
        o = sigmoid(dot(W["o"][u], x) + dot(U["o"][u], inner) + b["o"][u])
        g = math.tanh(dot(W["g"][u], x) + dot(U["g"][u], outer) + b["g"][u])
        step["input_gate"][u], step["forget_gate"][u], step["output_gate"][u] = i, f, o
        step["candidate"][u] = g
        step["memory"][u] = f * c[u] + i * g
    return step


def lstm(xs, W, U, b, *, h, c, use=as_it_is):
    """One sequence; every signal as `(time, ...)`."""
    steps = []
    for t, x in enumerate(xs):
        step = lstm_step(x, h, c, W, U, b, t=t, use=use)
        memory = use("hidden", None, t, step["memory"])
        for u in range(len(h)):
            step["hidden"][u] = step["output_gate"][u] * math.tanh(memory[u])
        h, c = step["hidden"], step["memory"]
        steps.append(step)
    return {name: np.stack([step[name] for step in steps]) for name in steps[0]}
