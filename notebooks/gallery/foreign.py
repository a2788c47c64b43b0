"""Attention of any causal model: here a matrix of weights that fade with distance."""

import numpy as np

import attnviz

words = "any model that weighs its own past can be drawn".split()
time = np.arange(len(words))
distance = time[:, None] - time
strength = np.stack([-distance, -np.abs(distance - 3)]).astype(float)
weights = np.where(distance >= 0, np.exp(strength), 0.0)
weights /= weights.sum(axis=-1, keepdims=True)
trace = attnviz.from_square(weights[None], tokens=[words], name="two heads")

figure = attnviz.plot_heatmap(trace)
attnviz.save_figure(figure, "foreign.png")
