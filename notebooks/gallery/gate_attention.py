"""How long ago a GRU wrote what its state holds: exact, from its gates."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("gru-imdb")
trace = attnviz.record_texts(model, load_demo_sentences().texts[1:2], gradients=False)

figure = attnviz.plot_gate_attention(trace)
attnviz.save_figure(figure, "gate_attention.png")
