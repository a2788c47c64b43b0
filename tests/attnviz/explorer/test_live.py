import numpy as np
import pytest
import torch

import attnviz
from attnviz import Texts, record_texts, replacement_influence, signal
from attnviz.explorer.edits import Edits
from attnviz.explorer.live import Reader
from attnviz.explorer.reading import panel_of
from attnviz.models import Reading
from tests.attnviz.explorer.subjects import (
    REFERENCE,
    TEXT,
    gru,
    larnn,
    lstm,
    named,
    names,
    rau,
    rra,
    said_of,
)

MODELS = [rra, larnn, rau, gru, lstm]


def reading(model):
    return Reader(model, "k", REFERENCE)


def effect(edited):
    """By how much the probability of each class changed."""
    return np.subtract(edited.prediction, edited.unedited)


def of_predicted(edited):
    """The change for the class that was predicted, as `attnviz.ablate` has it."""
    return effect(edited)[int(np.argmax(edited.unedited))]


@pytest.mark.parametrize("make", MODELS)
def test_an_unedited_panel_is_that_of_record_texts(make):
    model = make()
    panel = reading(model).read(TEXT, label=1)
    other = panel_of(record_texts(model, Texts([TEXT], labels=[1]), gradients=False), 0, key="k")

    assert (panel.key, panel.label, panel.text, panel.switches) == ("k", 1, TEXT, other.switches)
    assert panel.prediction == other.prediction
    assert names(panel.lenses) == names(other.lenses)
    for lens in panel.lenses:
        np.testing.assert_array_equal(lens.values, named(other.lenses, lens.name).values)
    one, two = named(panel.tracks, "score"), named(other.tracks, "score")
    np.testing.assert_array_equal(one.series[0].values, two.series[0].values)
    assert "gates" in names(panel.tracks)


def test_words_that_the_model_does_not_know_are_named_once():
    reader = reading(rra())

    assert reader.read(TEXT).notes == []
    assert reader.read(f"Zyx {TEXT} <b>qoph</b> zyx").notes == [
        "Not known to k, which reads them all as <unk>: “Zyx”, “<”, “b”, “>”, “qoph”, “/”."
    ]
    many = reader.read(" ".join(f"q{n}" for n in range(11))).notes
    assert many[0].endswith("“q6”, “q7” and 3 more.")


@pytest.mark.parametrize(("make", "lags"), [(rra, [2, 3, 4, 5, 6]), (larnn, [1, 2, 3])])
def test_a_lag_off_is_an_ablation_of_that_lag(make, lags):
    model = make()
    effects = attnviz.ablate(model, [TEXT], level="lag")["probability_effect"]
    found = [of_predicted(reading(model).edited(TEXT, Edits(lags=(lag,)))) for lag in lags]

    assert list(effects["lag"].values) == lags
    np.testing.assert_allclose(found, effects.values[0], rtol=0, atol=1e-10)
    assert np.abs(found).min() > 1e-7


def test_a_head_off_is_an_ablation_of_all_its_lags():
    model, text = larnn(window=1), TEXT  # one lag, so that a head and a lag of it are the same
    effects = attnviz.ablate(model, [text], level="head")["probability_effect"].values[0]
    found = [of_predicted(reading(model).edited(text, Edits(heads=(head,)))) for head in (0, 1)]

    assert effects.shape == (2, 1)
    np.testing.assert_allclose(found, effects[:, 0], rtol=0, atol=1e-10)
    assert abs(found[0] - found[1]) > 1e-7


def test_heads_and_lags_off_are_those_of_an_edit_written_out():
    model = larnn()

    def written_out(weights, values, at):
        changed = weights.clone()
        changed[:, 1] = 0
        changed[:, :, 1] = 0  # lags 1, 2, 3
        return changed, values

    model.layer.path = "step"
    with model.layer.register_edit(written_out):
        expected = said_of(model, TEXT)
    model.layer.path = "auto"
    edited = reading(model).edited(TEXT, Edits(lags=(2,), heads=(1,)))

    np.testing.assert_allclose(edited.prediction, expected, atol=1e-12)
    np.testing.assert_allclose(edited.unedited, said_of(model, TEXT), atol=1e-12)
    used = named(edited.lenses, "attention").values
    assert (used[1] == 0).all() and (used[0, :, 1] == 0).all() and (used[0, 3:, [0, 2]] > 0).all()
    added = named(edited.lenses, "contribution").values
    assert (added[1] == 0).all() and (added[0, :, 1] == 0).all() and (added[0, 3:, 0] > 0).all()
    score = named(edited.tracks, "score").series[0].values
    np.testing.assert_allclose(score[-1], edited.prediction[1], atol=1e-6)
    assert edited.label == "lag 2 off, head 1 off"


@pytest.mark.parametrize("make", [rra, rau])
def test_uniform_attention_of_a_single_head_is_that_ablation(make):
    model = make()
    effects = attnviz.ablate(model, [TEXT], level="head", method="uniform")
    found = of_predicted(reading(model).edited(TEXT, Edits(uniform=True)))

    assert found == pytest.approx(float(effects["probability_effect"].values[0, 0]), abs=1e-10)
    assert abs(found) > 1e-7


def test_uniform_comes_before_what_is_switched_off():
    edited = reading(larnn()).edited(TEXT, Edits(lags=(3,), uniform=True))

    used = named(edited.lenses, "attention").values
    assert (used[:, :, 2] == 0).all()
    np.testing.assert_allclose(used[:, 3:, :2], 1 / 3, atol=1e-7)  # not one half


def test_uniform_features_are_equal():
    edited = reading(rau()).edited(TEXT, Edits(uniform=True))
    held = named(edited.lenses, "feature_attention").values

    np.testing.assert_allclose(held, 1.0, atol=1e-6)  # an equal share each, as they were used
    before = named(edited.before_lenses, "feature_attention").values
    assert np.ptp(before) > 0.1
    assert np.abs(effect(edited)).max() > 1e-7


@pytest.mark.parametrize(("make", "lag"), [(rra, 6), (larnn, 3)])
def test_a_lag_that_reaches_nothing_changes_nothing_at_all(make, lag):
    read = reading(make())
    edited = read.edited("good film", Edits(lags=(lag,)))

    assert edited.prediction == edited.unedited
    held = named(read.read("good film").lenses, "attention").values
    np.testing.assert_array_equal(named(edited.lenses, "attention").values, held)


@torch.no_grad()
def test_a_lag_without_weight_changes_nothing_at_all():
    model = rra()
    model.layer.groups["l0"].lag_scores[2] = 0  # of lag 4
    read = reading(model)

    edited = read.edited(TEXT, Edits(lags=(4,)))
    assert edited.prediction == edited.unedited
    assert read.edited(TEXT, Edits(lags=(3,))).prediction != edited.unedited


@pytest.mark.parametrize("make", [gru, lstm])
def test_a_cell_without_attention_has_nothing_to_switch_off(make):
    read = reading(make())

    assert read.edited(TEXT, Edits(lags=(2,), heads=(0,), uniform=True)) is None
    assert read.variants(TEXT, [Edits(lags=(2,)), Edits()]) == [None, None]
    assert read.ablations(TEXT) == []
    assert read.switches == {"l0": None}


def test_what_the_cell_does_not_know_is_left_out():
    read = reading(rra())

    assert read.edited(TEXT, Edits()) is None
    assert read.edited(TEXT, Edits(lags=(1, 9))) is None
    assert read.edited(TEXT, Edits(lags=(1, 2, 9))).label == "lag 2 off"


def test_every_edit_of_a_batch_is_that_edit_alone():
    read = reading(larnn())
    choices = [Edits(lags=(1,)), Edits(), Edits(lags=(9,)), Edits(heads=(1,)), Edits(uniform=True)]
    found = read.variants(TEXT, choices)

    assert [one is None for one in found] == [False, True, True, False, False]
    for one, edits in zip(found, choices, strict=True):
        if one is not None:
            alone = read.edited(TEXT, edits)
            assert one.label == alone.label == edits.label
            np.testing.assert_allclose(one.prediction, alone.prediction, atol=1e-12)
            for lens in one.lenses:
                other = named(alone.lenses, lens.name)
                np.testing.assert_allclose(lens.values, other.values, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "labels"),
    [
        (rra, [*(f"lag {lag} off" for lag in range(2, 7)), "uniform attention"]),
        (larnn, ["lag 1 off", "lag 2 off", "lag 3 off", "head 0 off", "head 1 off",
                 "uniform attention"]),
        (rau, ["uniform attention"]),
    ],
)  # fmt: skip
def test_all_single_edits_for_a_page(make, labels):
    read = reading(make())
    found = read.ablations(TEXT)

    assert [one.edited.label for one in found] == labels
    assert [Edits.of(one.edits).label for one in found] == labels
    last = read.edited(TEXT, Edits(uniform=True))
    np.testing.assert_allclose(found[-1].edited.prediction, last.prediction, atol=1e-12)


def test_each_layer_and_direction_is_edited_by_itself():
    model = rra(num_layers=2, bidirectional=True)
    read, seen = reading(model), []
    for group in ("l0", "l0_reverse", "l1", "l1_reverse"):
        expected = attnviz.ablate(model, [TEXT], level="lag", group=group)
        found = read.edited(TEXT, Edits(lags=(3,)), layer=group)
        one = float(expected["probability_effect"].sel(lag=3).values[0])
        assert of_predicted(found) == pytest.approx(one, abs=1e-10)
        seen.append(one)
        panel = read.read(TEXT, layer=group)
        assert (panel.layer, panel.direction) == (group, -1 if "reverse" in group else 1)
    assert len({round(one, 9) for one in seen}) == 4


def test_nothing_is_left_behind():
    model = larnn()
    model.train()
    model.head.eval()  # a part that was kept in eval mode
    modes = [part.training for part in model.modules()]
    weights = {name: values.clone() for name, values in model.state_dict().items()}
    state = torch.get_rng_state()

    read = reading(model)
    read.read(TEXT)
    read.edited(TEXT, Edits(lags=(2,), uniform=True))
    read.flow(TEXT)
    read.influence(TEXT, 3)

    assert model.layer.path == "auto" and not model.layer.edited
    assert [part.training for part in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(values, weights[k]) for k, values in model.state_dict().items())
    assert all(values.grad is None for values in model.parameters())
    model.layer.path = "fast"
    before = said_of(model.eval(), TEXT)
    read.edited(TEXT, Edits(heads=(0,)))
    assert model.layer.path == "fast"
    np.testing.assert_array_equal(said_of(model, TEXT), before)


def test_nothing_is_left_behind_by_a_run_that_fails():
    model = rra().train()
    model.head.eval()
    read = reading(model)
    modes = [part.training for part in model.modules()]
    state = torch.get_rng_state()

    def fails(*_):
        raise ArithmeticError("in the middle")

    with model.head.register_forward_hook(fails):
        for run in (
            lambda: read.edited(TEXT, Edits(lags=(3,))), lambda: read.read(TEXT),
            lambda: read.flow(TEXT),
        ):  # fmt: skip
            with pytest.raises(ArithmeticError, match="in the middle"):
                run()
            assert model.layer.path == "auto" and not model.layer.edited
            assert [part.training for part in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert read.edited(TEXT, Edits(lags=(3,))).prediction


@pytest.mark.parametrize("make", [rra, gru])
def test_influence_is_replacement_influence_at_that_word(make):
    model = make()
    lens = reading(model).influence(TEXT, 7)
    expected = replacement_influence(model, [TEXT], reference=REFERENCE, at=[7])["influence"]

    assert lens.at == [7]
    np.testing.assert_array_equal(lens.values[0], expected.values[0].astype(np.float32))
    assert lens.values.shape == (1, 1, 8) and (lens.values > 0).all()


@pytest.mark.parametrize("label", [-1, 0, 1])
@pytest.mark.parametrize("make", [rra, gru])
def test_flow_is_the_recorded_gradient(make, label):
    model = make()
    found = reading(model).flow(TEXT, label=label)
    trace = record_texts(model, Texts([TEXT], labels=[label]), gradients="exits")

    assert names(found) == ["gradient", "routes"]
    for series in found[0].series:
        held = signal(trace, f"{series.label.removeprefix('at the ')}_gradient_norm")
        np.testing.assert_array_equal(series.values, held.values[0].astype(np.float32))


def test_the_gradient_depends_on_the_right_class():
    read = reading(rra())
    one, other, own = (read.flow(TEXT, label=label)[0].series[0].values for label in (0, 1, -1))

    predicted = int(np.argmax(read.read(TEXT).prediction))
    np.testing.assert_array_equal(own, [one, other][predicted])
    assert np.abs(one - other).max() > 1e-3 * one.max()


def test_a_twin_reads_the_same_with_another_model():
    read = reading(larnn())
    twin = read.twin()

    assert twin.model is not read.model and twin.key == "k" and twin.reference == REFERENCE
    assert twin.read(TEXT).prediction == read.read(TEXT).prediction
    with torch.no_grad():
        twin.model.head.bias.add_(torch.tensor([1.0, -1.0]))
    assert twin.read(TEXT).prediction != read.read(TEXT).prediction


def test_the_words_that_are_left_are_edited():
    model = rra()
    model.reading = Reading(5, "end")
    edited = reading(model).edited(TEXT, Edits(lags=(2,)))

    last = " ".join(TEXT.split()[-5:])
    np.testing.assert_allclose(edited.unedited, said_of(model, last), atol=1e-12)
    assert named(edited.lenses, "attention").values.shape == (1, 5, 5)


def test_what_cannot_be_read_is_refused():
    with pytest.raises(ValueError, match=r"Text 0: .*at least one word"):
        reading(rra()).read("  ")
    model = rra()
    model.vocabulary = None
    with pytest.raises(ValueError, match="has no vocabulary"):
        reading(model)
