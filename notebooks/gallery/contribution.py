"""What each past state adds: RRA's weights are constant, its contributions are not."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("rra-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts[1:2], gradients=False)

figure = attnviz.plot_contribution(trace)
attnviz.save_figure(figure, "contribution.png")
