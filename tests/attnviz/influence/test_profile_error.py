import numpy as np
import pytest
import torch
from torch import nn

from attnviz import linear_influence, replacement_influence
from attnviz.analysis import influence_profile


@pytest.mark.parametrize(
    ("measure", "count"), [(replacement_influence, "replacements"), (linear_influence, "probes")]
)
def test_the_error_of_a_profile_is_its_spread_over_seeds(measure, count):
    model, x, reference = nn.GRU(3, 4), torch.randn(2, 12, 3), torch.randn(5, 8, 3)
    profiles = [
        influence_profile(
            measure(model, x, reference=reference, seed=seed, **{count: 8}), longest=4, resamples=1
        )
        for seed in range(60)
    ]

    spread = np.std([profile["influence"] for profile in profiles], axis=0, ddof=1)
    expected = np.sqrt(np.mean([profile["influence_error"] ** 2 for profile in profiles], axis=0))
    # 60 seeds tell a standard deviation to 9 %.
    assert (np.abs(spread / expected - 1) < 0.33).all()
    assert (spread > 0).all()
