"""The gradient in two cells: its norm by distance from the loss."""

import attnviz
from attnviz.tasks import load_demo_sentences

texts = load_demo_sentences().texts[:2]
paths = {
    name: attnviz.text_gradient_paths(attnviz.load_model(name), texts)
    for name in ("rra-imdb", "lstm-imdb")
}

axes = attnviz.plot_vanishing(paths)
attnviz.save_figure(axes, "vanishing.png")
