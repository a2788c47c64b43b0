"""The gradient in RRA by the edges it passed: gates, memory, shortcut, or several."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("rra-imdb")
paths = attnviz.text_gradient_paths(model, load_demo_sentences().texts[:2])

axes = attnviz.plot_path_classes(paths)
attnviz.save_figure(axes, "path_classes.png")
