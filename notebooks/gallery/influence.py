"""How far back two cells look, by replacing inputs; beside it each lag's share."""

import attnviz
from attnviz.tasks import load_demo_sentences

texts = load_demo_sentences().texts
influence = {
    name: attnviz.replacement_influence(
        attnviz.load_model(name), texts[1:10], reference=texts, at="last"
    )
    for name in ("gru-imdb", "rau-imdb")
}

figure = attnviz.plot_influence(influence, longest=20)
attnviz.save_figure(figure, "influence.png")
