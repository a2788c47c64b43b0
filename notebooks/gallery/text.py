"""A review, each word in the colour of what reading it did to the prediction."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("rra-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts[:1], gradients=False)

figure = attnviz.plot_text(trace, score="prediction_change")
attnviz.save_figure(figure, "text.png")
