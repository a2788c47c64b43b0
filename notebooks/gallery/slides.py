"""The same plots for a talk: larger type, another width."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("larnn-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts[4:5], gradients=False)

with attnviz.style("slides", width="page"):
    figure = attnviz.plot_contribution(trace, head=0)
    attnviz.save_figure(figure, "slides.png")
