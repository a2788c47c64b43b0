"""What changes in the decision when a lag of RRA's attention is taken away."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("rra-imdb")
sentences = load_demo_sentences()
texts = attnviz.Texts(sentences.texts[1:9], [int(label) for label in sentences.labels[1:9]])
effects = attnviz.ablate(model, texts, level="lag")

axes = attnviz.plot_ablation(effects)
attnviz.save_figure(axes, "ablation.png")
