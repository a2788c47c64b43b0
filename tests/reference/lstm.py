"""The LSTM with a forget gate (Gers et al., 2000), without peepholes."""

import math

import numpy as np

from tests.reference.arithmetic import dot, sigmoid

SIGNALS = ("hidden", "memory", "input_gate", "forget_gate", "output_gate", "candidate")


def lstm_step(x, h, c, W, U, b):
    """The gates and the memory; `W`, `U` and `b` by gate."""
    n = len(h)
    step = {name: np.zeros(n) for name in SIGNALS}
    for u in range(n):
        i = sigmoid(dot(W["i"][u], x) + dot(U["i"][u], h) + b["i"][u])
        f = sigmoid(dot(W["f"][u], x) + dot(U["f"][u], h) + b["f"][u])
        o = sigmoid(dot(W["o"][u], x) + dot(U["o"][u], h) + b["o"][u])
        g = math.tanh(dot(W["g"][u], x) + dot(U["g"][u], h) + b["g"][u])
        step["input_gate"][u], step["forget_gate"][u], step["output_gate"][u] = i, f, o
        step["candidate"][u] = g
        step["memory"][u] = f * c[u] + i * g
    return step


def lstm(xs, W, U, b, *, h, c):
    """One sequence; every signal as `(time, ...)`."""
    steps = []
    for x in xs:
        step = lstm_step(x, h, c, W, U, b)
        for u in range(len(h)):
            step["hidden"][u] = step["output_gate"][u] * math.tanh(step["memory"][u])
        h, c = step["hidden"], step["memory"]
        steps.append(step)
    return {name: np.stack([step[name] for step in steps]) for name in steps[0]}
