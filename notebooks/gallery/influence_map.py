"""Which earlier words the state depends on, timestep by lag."""

import attnviz
from attnviz.tasks import load_demo_sentences

texts = load_demo_sentences().texts
model = attnviz.load_model("gru-imdb")
influence = attnviz.replacement_influence(model, texts[4:5], reference=texts)

figure = attnviz.plot_influence_map(influence, longest=12)
attnviz.save_figure(figure, "influence_map.png")
