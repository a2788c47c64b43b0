"""Which features of word and state RAU weighs up."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("rau-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts[1:2], gradients=False)

figure = attnviz.plot_feature_attention(trace, top=8)
attnviz.save_figure(figure, "feature_attention.png")
