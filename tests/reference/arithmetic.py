"""Single numbers."""

import math


def sigmoid(a):
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def dot(row, vector):
    return sum(float(r) * float(v) for r, v in zip(row, vector, strict=True))


def softmax(scores):
    largest = max(scores)
    powers = [math.exp(score - largest) for score in scores]
    return [power / sum(powers) for power in powers]


def as_it_is(route, lag, t, state):
    """Every use of a state stands behind a call like this, so that one alone can be changed."""
    return state
