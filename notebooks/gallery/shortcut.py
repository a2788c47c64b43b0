"""What came back to each word by each lag of RRA's shortcut."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("rra-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts[1:2], gradients="routes")

figure = attnviz.plot_shortcut(trace)
attnviz.save_figure(figure, "shortcut.png")
