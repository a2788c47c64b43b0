"""Attention by lag, each head of LARNN: the mean over sentences, with its spread."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("larnn-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts, gradients=False)

axes = attnviz.plot_lag_kernel(trace)
attnviz.save_figure(axes, "lag_kernel.png")
