"""Sequence models that the package does not know, and the influence by brute force."""

import itertools

import numpy as np
import torch
from torch import nn

import cells

FEATURES, UNITS = 3, 4


class CausalTransformer(nn.Module):
    """One layer of masked self-attention with positions."""

    def __init__(self):
        super().__init__()
        self.into = nn.Linear(FEATURES, UNITS)
        self.places = nn.Parameter(0.5 * torch.randn(64, UNITS))
        self.layer = nn.TransformerEncoderLayer(UNITS, 2, 8, dropout=0.3, batch_first=True)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)
        return self.layer(self.into(x) + self.places[: x.shape[1]], src_mask=mask, is_causal=True)


class StateSpace(nn.Module):
    """A diagonal linear recurrence, read out by a nonlinear map."""

    def __init__(self):
        super().__init__()
        self.decay = nn.Parameter(torch.rand(UNITS))
        self.into, self.out = nn.Linear(FEATURES, UNITS), nn.Linear(UNITS, UNITS)

    def forward(self, x):
        state, states = 0.0, []
        for step in self.into(x).unbind(1):
            state = self.decay * state + step
            states.append(state)
        return self.out(torch.stack(states, 1)).tanh()


class Linear:
    """h_t = Σ_j A_j x_{t−j}: all its derivatives are known."""

    def __init__(self, lags):
        self.matrices = torch.randn(lags, UNITS, FEATURES)

    def __call__(self, x):
        outputs = torch.zeros(*x.shape[:2], UNITS)
        for lag, matrix in enumerate(self.matrices[: x.shape[1]]):
            outputs[:, lag:] += x[:, : x.shape[1] - lag] @ matrix.T
        return outputs


MODELS = {
    "torch.nn.LSTM": lambda: nn.LSTM(FEATURES, UNITS, batch_first=True),
    "torch.nn.GRU": lambda: nn.GRU(FEATURES, UNITS, num_layers=2, dropout=0.4),
    "transformer": CausalTransformer,
    "state space": StateSpace,
    "RRA": lambda: cells.RRA(FEATURES, UNITS, window=2),
    "LARNN": lambda: cells.LARNN(FEATURES, UNITS, window=2, heads=2, batch_first=True),
    "RAU": lambda: cells.RAU(FEATURES, UNITS),
    "LSTM": lambda: cells.LSTM(FEATURES, UNITS, num_layers=2),
    "GRU": lambda: cells.GRU(FEATURES, UNITS, batch_first=True),
}


def plain(name, model):
    """The model as a function (batch, time, feature) → (batch, time, unit), written out here."""
    if name in ("transformer", "state space"):
        return model
    if model.batch_first:
        return lambda x: model(x)[0]
    return lambda x: model(x.transpose(0, 1))[0].transpose(0, 1)


def scale_of(function, reference):
    """The standard deviation of each unit over the timesteps of equally long sequences."""
    with torch.no_grad():
        return function(reference).flatten(0, 1).std(0, correction=0)


def every_replacement(observe, x, pool):
    """½‖Δ‖² for each replaced timestep, replacement of the pool, and timestep: one run each."""
    found = np.zeros((len(x), len(pool), len(x)))
    with torch.no_grad():
        usual = observe(x[None])[0]
        for source, row in itertools.product(range(len(x)), range(len(pool))):
            other = x.clone()
            other[source] = pool[row]
            change = observe(other[None])[0] - usual
            found[source, row] = 0.5 * (change**2).sum(-1).numpy()
    return found


def by_lag(by_source):
    """(source, time) → (time, lag), NaN before the start."""
    steps = len(by_source)
    found = np.full((steps, steps), np.nan)
    for time, lag in itertools.product(range(steps), range(steps)):
        if lag <= time:
            found[time, lag] = by_source[time - lag, time]
    return found


class Spy:
    """A function that keeps the batches it was called with."""

    def __init__(self, function):
        self.function, self.batches = function, []

    def __call__(self, x):
        self.batches.append(x.clone())
        return self.function(x)
