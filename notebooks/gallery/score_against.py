"""Does a longer window help? The score of each run against what was searched."""

import numpy as np
import pandas as pd

import attnviz

# Made-up runs. Those of a study: attnviz.studies.open_curves("notebooks/results/NAME").trials
random = np.random.default_rng(0)
best = {"rra": 0.92, "larnn": 0.91}
runs = pd.DataFrame(
    {"cell": cell, "window": window, "validation": score - 0.06 / window + noise}
    for cell, score in best.items()
    for window in (2, 5, 10, 20, 40)
    for noise in random.normal(0, 0.006, size=3)
)

axes = attnviz.plot_score_against(runs, value="window", logarithmic=True)
attnviz.save_figure(axes, "score_against.png")
