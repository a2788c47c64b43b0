"""Which way the gradient leaves five cells, by distance from the end."""

import attnviz
from attnviz.tasks import load_demo_sentences

texts = load_demo_sentences().texts[:4]
traces = {
    name: attnviz.record_texts(attnviz.load_model(name), texts, gradients="exits")
    for name in attnviz.shipped_models(task="imdb")
}

figure = attnviz.plot_exit_routes(traces, longest=25)
attnviz.save_figure(figure, "exit_routes.png")
