import numpy as np
import pytest

import attnviz
from attnviz.analysis import influence_median_lag, influence_profile

TEXTS = ["A dull, dull start, but then the film is wonderful.", "Not bad, and never boring at all."]


@pytest.mark.parametrize("cell", ["rra", "larnn", "rau", "lstm", "gru"])
def test_a_shipped_model_from_text_to_profile(cell):
    model = attnviz.load_model(f"{cell}-imdb")

    seen = attnviz.replacement_influence(model, TEXTS, reference=TEXTS, replacements=4)
    told = attnviz.linear_influence(model, TEXTS, reference=TEXTS, at="last", margin="predicted")

    length = seen["length"].values
    assert seen["token"].values[0, : length[0]].tolist()[:3] == ["A", "dull", ","]
    known = seen["influence"].notnull().sum("lag").values[0]
    assert known.tolist() == [*range(1, length[0] + 1)]
    profile = influence_profile(seen, longest=4)
    assert (profile["influence"] > 0).all() and 0 < float(profile["share"].sum()) <= 1
    assert float(influence_median_lag(seen).values.max()) < length.max()
    last = told["influence"].values[0, 0, : length[0]]
    assert np.isfinite(last).all() and (last > 0).any()
    assert told.attrs["model"] == f"{cell}-imdb"
