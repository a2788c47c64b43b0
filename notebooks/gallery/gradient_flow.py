"""The gradient at each word of a review, and the routes by which it came back."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("rra-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts[1:2], gradients="exits")

figure = attnviz.plot_gradient_flow(trace)
attnviz.save_figure(figure, "gradient_flow.png")
