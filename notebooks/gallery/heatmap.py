"""Attention, timestep by lag: a head of LARNN holds on to the word “not” for ten steps."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("larnn-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts[:1], gradients=False)

figure = attnviz.plot_heatmap(trace, head=1, tokens=(58, 116))
attnviz.save_figure(figure, "heatmap.png")
