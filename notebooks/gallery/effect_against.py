"""Does what is read more matter more? The effect of each ablation against it."""

import attnviz
from attnviz.tasks import load_demo_sentences

model = attnviz.load_model("larnn-imdb")
effects = attnviz.ablate(model, load_demo_sentences().texts[4:10], level="step")

axes = attnviz.plot_effect_against(effects)
attnviz.save_figure(axes, "effect_against.png")
