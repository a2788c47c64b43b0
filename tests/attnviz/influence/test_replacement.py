import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import t as student
from torch import nn

import cells
from attnviz import Sequences, linear_influence, replacement_influence
from attnviz.models import SequenceModel
from attnviz.text import Vocabulary
from tests.attnviz.influence.subjects import (
    FEATURES,
    MODELS,
    Linear,
    Spy,
    by_lag,
    every_replacement,
    plain,
    scale_of,
)


def inputs(sequences=2, time=5):
    return torch.randn(sequences, time, FEATURES)


@pytest.mark.parametrize("name", MODELS)
def test_the_mean_over_the_pool_is_what_explicit_replacement_gives(name):
    model, x, reference = MODELS[name](), inputs(1), inputs(2, 3)
    if name == "LARNN":  # statistics of its own, as after training
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)

    found = replacement_influence(model, x, reference=reference, replacements=3000, rows=1024)

    model.eval()
    function = plain(name, model)
    scale = scale_of(function, reference)
    pool = reference.flatten(0, 1)
    every = every_replacement(lambda x: function(x) / scale, x[0], pool)
    expected = by_lag(every.mean(1))
    error = found["standard_error"].values[0]
    assert_array_equal(np.isnan(found["influence"].values[0]), np.isnan(expected))
    known = ~np.isnan(expected)
    assert np.abs((found["influence"].values[0] - expected)[known] / error[known]).max() < 4.5
    assert_allclose(error[known], by_lag(every.std(1))[known] / 3000**0.5, rtol=0.1)


def test_each_number_is_the_mean_over_the_very_replacements_that_ran():
    model = nn.LSTM(FEATURES, 4, batch_first=True)
    spy = Spy(lambda x: model(x)[0])
    x, reference = inputs(1), inputs(2, 7)

    found = replacement_influence(spy, x, reference=reference, replacements=4, rows=6)

    pool, scale = reference.flatten(0, 1), scale_of(spy.function, reference)
    samples = {source: [] for source in range(5)}
    usual = spy.function(x)[0]
    for batch in spy.batches[-4:]:  # 5 · 4 rows, 6 at a time
        assert_array_equal(batch[0], x[0])
        for row in batch[1:]:
            (source,) = (row != x[0]).any(-1).nonzero().flatten().tolist()
            assert (row[source] == pool).all(-1).any()
            change = (spy.function(row[None])[0] - usual) / scale
            samples[source].append(0.5 * (change**2).sum(-1).detach().numpy())
    z = np.array([samples[source] for source in range(5)])  # (source, draw, time)
    assert z.shape == (5, 4, 5)
    assert_allclose(found["influence"].values[0], by_lag(z.mean(1)), rtol=1e-9)
    error = by_lag(z.std(1, ddof=1) / 2)
    assert_allclose(found["standard_error"].values[0], error, rtol=1e-9)
    for time in range(5):
        total = z[: time + 1, :, time].sum(0)
        for source in range(time + 1):
            one = z[source, :, time]
            spread = np.var(one - one.mean() / total.mean() * total, ddof=1)
            share = found["share_standard_error"].values[0, time, time - source]
            assert_allclose(share**2, spread / (4 * total.mean() ** 2), rtol=1e-8, atol=1e-20)


def test_a_linear_model_has_half_of_e_squared_and_the_distance_from_the_mean():
    model, x, reference = Linear(3), inputs(1), inputs(40, 5)

    found = replacement_influence(model, x, reference=reference, replacements=20_000, rows=4096)

    pool, scale = reference.flatten(0, 1), scale_of(model, reference)
    covariance = torch.cov(pool.T, correction=0)
    expected = torch.zeros(5, 5)  # (source, time)
    for source in range(5):
        for lag in range(min(3, 5 - source)):
            weights = model.matrices[lag] / scale[:, None]
            e_squared = (weights @ covariance @ weights.T).trace()
            away = (weights @ (x[0, source] - pool.mean(0))).square().sum()
            expected[source, source + lag] = (e_squared + away) / 2
    error = found["standard_error"].values[0]
    values, known = found["influence"].values[0], by_lag(expected.numpy())
    near = known > 0
    assert np.abs((values - known)[near] / error[near]).max() < 4.5
    assert_allclose(values[near], known[near], rtol=0.03)
    assert_allclose(values[(~near) & ~np.isnan(known)], 0, atol=1e-25)


def test_intervals_of_influence_and_of_shares_cover():
    # With few draws they cover less, .82 of .95 with 20 here: squares are skewed.
    model = nn.GRU(FEATURES, 4, batch_first=True)
    x, reference, draws = inputs(1, 4), inputs(4, 5), 80
    many = x.expand(400, -1, -1)

    found = replacement_influence(model, many, reference=reference, at="last", replacements=draws)

    def function(x):
        return model(x)[0] / scale_of(lambda x: model(x)[0], reference)

    every = every_replacement(function, x[0], reference.flatten(0, 1))
    truth = by_lag(every.mean(1))[-1]
    reach = student.ppf(0.975, draws - 1)
    values, error = found["influence"].values[:, 0], found["standard_error"].values[:, 0]
    covered = (np.abs(values - truth) < reach * error).mean(0)
    shares = values / values.sum(-1, keepdims=True)
    error = found["share_standard_error"].values[:, 0]
    covered_share = (np.abs(shares - truth / truth.sum()) < reach * error).mean(0)
    assert (covered > 0.9).all() and (covered < 0.985).all()
    assert (covered_share > 0.9).all() and (covered_share < 0.985).all()


def test_the_margin_is_of_the_class_against_the_best_other_and_not_rescaled():
    model = nn.LSTM(FEATURES, 3, batch_first=True)
    x, reference = inputs(2), inputs(2, 3)

    found = replacement_influence(
        lambda x: model(x)[0], x, reference=reference, margin=[2, 0], replacements=2000, rows=1000
    )

    def margin(label):
        def observe(x):
            logits = model(x)[0]
            others = [logits[..., other] for other in range(3) if other != label]
            return (logits[..., label] - torch.maximum(*others))[..., None]

        return observe

    for row, label in enumerate([2, 0]):
        every = every_replacement(margin(label), x[row], reference.flatten(0, 1))
        off = found["influence"].values[row] - by_lag(every.mean(1))
        assert np.nanmax(np.abs(off) / found["standard_error"].values[row]) < 4.5
    assert found.attrs["of"] == "margin" and found.attrs["unit"] == "logits²"


def test_the_predicted_class_is_that_of_the_last_timestep():
    model = nn.LSTM(FEATURES, 3, batch_first=True)
    x = 3 * inputs(6)
    predicted = model(x)[0][:, -1].argmax(-1).tolist()
    assert len(set(predicted)) > 1

    found = replacement_influence(model, x, reference=x, margin="predicted")

    assert found.equals(replacement_influence(model, x, reference=x, margin=predicted))
    other = [(label + 1) % 3 for label in predicted]
    assert not found.equals(replacement_influence(model, x, reference=x, margin=other))


def test_a_latch_that_is_saturated_is_seen():
    def latch(x):  # holds the sign of the first input
        return (8 * x[:, :1, :1]).tanh() + 0.05 * x[..., :1]

    bits = torch.randint(2, (20, 6, 1)) * 2.0 - 1.0

    found = replacement_influence(latch, bits, reference=bits, at="last", replacements=30)

    share = found["influence"] / found["influence"].sum("lag")
    assert float(share.sel(lag=5).mean()) > 0.99


def test_chosen_timesteps_are_rows_of_the_whole_triangle():
    model, x, reference = nn.LSTM(FEATURES, 4), inputs(2, 6), inputs(2, 4)

    whole = replacement_influence(model, x, reference=reference, replacements=3)
    last = replacement_influence(model, x, reference=reference, replacements=3, at="last")
    some = replacement_influence(model, x, reference=reference, replacements=3, at=[-1, 2])

    assert whole["timestep"].values.tolist() == [list(range(6))] * 2
    assert last["timestep"].values.tolist() == [[5], [5]]
    assert some["timestep"].values.tolist() == [[2, 5], [2, 5]]
    for name in ("influence", "standard_error", "share_standard_error"):
        assert_allclose(last[name].values[:, 0], whole[name].values[:, 5], rtol=1e-10, atol=1e-18)
        assert_allclose(some[name].values, whole[name].values[:, [2, 5]], rtol=1e-10, atol=1e-18)
    first = replacement_influence(model, x, reference=reference, at=[0])
    assert first["influence"].shape == (2, 1, 1)


def test_padding_is_never_read_and_sequences_do_not_mix():
    model, x, reference = nn.LSTM(FEATURES, 4), inputs(3, 6), inputs(2, 4)
    x[1, 4:], x[2, 1:], reference[0, 3:] = np.nan, np.nan, np.nan
    reference = Sequences(reference, [3, 4])

    found = replacement_influence(model, Sequences(x, torch.tensor([6, 4, 1])), reference=reference)
    short = replacement_influence(model, x[:2, :4], reference=reference)

    assert found["length"].values.tolist() == [6, 4, 1]
    assert found["timestep"].values[1].tolist() == [0, 1, 2, 3, -1, -1]
    for name in ("influence", "standard_error"):
        padded = found[name].values[1]
        assert_allclose(padded[:4, :4], short[name].values[1], rtol=1e-10, atol=1e-18)
        assert np.isnan(padded[4:]).all() and np.isnan(padded[:, 4:]).all()
    assert (found["influence"].notnull().sum("lag").values[2] == [1, 0, 0, 0, 0, 0]).all()


def test_arrays_are_read_as_tensors_are():
    model, x, reference = nn.GRU(FEATURES, 4, batch_first=True), inputs(2), inputs(3)
    expected = replacement_influence(model, x, reference=reference, seed=2)
    found = replacement_influence(model, x.numpy(), reference=reference.numpy(), seed=2)
    assert found.identical(expected)


def test_the_same_seed_gives_the_same_numbers_whatever_runs_at_once():
    model, x = nn.LSTM(FEATURES, 4), inputs(2, 6)

    found = replacement_influence(model, x, reference=x, seed=3)

    assert found.identical(replacement_influence(model, x, reference=x, seed=3))
    for rows in (1, 5, 1000):
        other = replacement_influence(model, x, reference=x, seed=3, rows=rows)
        assert_allclose(other["influence"], found["influence"], rtol=1e-10, atol=1e-18)
    other = replacement_influence(model, x, reference=x, seed=4)
    assert not np.allclose(other["influence"], found["influence"], equal_nan=True)


def test_nothing_of_the_model_changes():
    layer = cells.LARNN(FEATURES, 4, window=2, heads=2, batch_first=True)
    model = SequenceModel(layer, outputs=2, dropout=0.5).train()
    model.head.eval()
    x, reference = inputs(2), inputs(3)
    model.layer(inputs(9))  # running statistics that are no longer those of a new model
    modes = [part.training for part in model.modules()]
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()

    replacement_influence(model, x, reference=reference, margin="predicted")
    linear_influence(model, x, reference=reference, probes=2)
    with pytest.raises(ValueError, match="margin needs a class"):
        replacement_influence(model, x, reference=reference, margin=[7, 0])

    assert_array_equal(torch.get_rng_state(), random)
    assert [part.training for part in model.modules()] == modes
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(value.grad is None for value in model.parameters())


def test_single_precision_is_near_double_and_passes_for_causal():
    model, x, reference = nn.LSTM(FEATURES, 4), inputs(1, 200), inputs(2, 50)

    exact = replacement_influence(model, x, reference=reference, at="last", replacements=4)
    found = replacement_influence(model.float(), x, reference=reference, at="last", replacements=4)

    assert_allclose(found["influence"], exact["influence"], rtol=1e-3, atol=1e-10)
    assert next(model.parameters()).dtype == torch.float32
    states = model(x[0, :, None].float())[0][-1, 0].detach().double() / scale_of(
        lambda x: model(x.transpose(0, 1))[0].transpose(0, 1), reference.float()
    )
    step = 0.5 * float((2.0**-23 * states).square().sum())
    assert_allclose(found.attrs["rounding_floor"], step, rtol=1e-4)


def text_model():
    words = ("<pad>", "<unk>", "a", "film", "good", "bad", "not")
    model = SequenceModel(
        cells.RRA(FEATURES, 4, window=2, batch_first=True), outputs=2, vocabulary_size=len(words)
    )
    model.vocabulary = Vocabulary(words)
    return model


def test_texts_ids_and_features_give_the_same():
    model = text_model()
    texts, reference = ["A good film", "not bad"], ["not a bad film", "good"]
    ids = torch.tensor([[2, 4, 3], [6, 5, 0]])
    usual = torch.tensor([[6, 2, 5, 3], [4, 0, 0, 0]])

    found = replacement_influence(model, texts, reference=reference)
    by_id = replacement_influence(model, Sequences(ids, [3, 2]), reference=Sequences(usual, [4, 1]))
    vectors = replacement_influence(
        model,
        Sequences(model.embedding(ids), [3, 2]),
        reference=Sequences(model.embedding(usual), [4, 1]),
    )

    assert found["token"].values.tolist() == [["A", "good", "film"], ["not", "bad", ""]]
    assert found.drop_vars("token").identical(by_id)
    assert by_id.identical(vectors)
    assert found.attrs["model"] == "rra" and found.attrs["reference_timesteps"] == 5


def test_the_margin_of_a_model_is_what_its_head_would_say_at_each_timestep():
    model, x = text_model().eval(), torch.tensor([[2, 4, 3, 6]])
    model_of_logits = lambda x: model.head(model.read(x, None))  # noqa: E731

    found = replacement_influence(model, x, reference=x, margin=[1])
    same = replacement_influence(
        model_of_logits, model.embedding(x), reference=model.embedding(x), margin=[1]
    )

    assert found["influence"].equals(same["influence"])


def test_what_it_says_about_itself():
    model, x = nn.LSTM(FEATURES, 4), inputs(2, 6)

    found = replacement_influence(model, x, reference=inputs(3), replacements=2, seed=9)
    single = replacement_influence(model, x, reference=x, replacements=1, at="last")

    assert 0 < found.attrs.pop("rounding_floor") < 1e-25
    assert found.attrs == {
        "model": "LSTM", "format": "attnviz-influence/1", "model_mode": "eval", "of": "state",
        "kind": "replacement",
        "unit": "squared standard deviations, summed over units", "draws": 2, "seed": 9,
        "reference_sequences": 3, "reference_timesteps": 15, "units": 4,
        "estimator": "replacements",
    }  # fmt: skip
    assert np.isnan(single["standard_error"]).all()


@pytest.mark.parametrize(
    ("measure", "more", "products"),
    [
        (replacement_influence, {"replacements": 3}, 3 * (5 + 4)),
        (linear_influence, {}, 4 * (5 + 4)),
        (linear_influence, {"probes": 2, "at": "last"}, 2 * 2),
    ],
)
def test_who_watches_is_told_of_every_row(measure, more, products):
    model, told = nn.GRU(FEATURES, 4, batch_first=True), []
    read, reference = Sequences(inputs(2), [5, 4]), inputs(2, 3)

    watched = measure(
        model, read, reference=reference, rows=7, progress=lambda *done: told.append(done), **more
    )

    done, total = zip(*told, strict=True)
    assert set(total) == {products} and done[-1] == products
    assert max(np.diff([0, *done])) <= 7 and min(np.diff([0, *done])) > 0
    assert watched.identical(measure(model, read, reference=reference, rows=7, **more))
