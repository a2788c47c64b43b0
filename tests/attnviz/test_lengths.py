"""Sequences of numbers of several lengths, padded: what stands in the padding is never read."""

import dataclasses

import numpy as np
import pytest
import torch

import attnviz
from attnviz.cli.influence import _inputs
from attnviz.path_classes import number_gradient_paths
from attnviz.recording import Numbers, record_numbers
from attnviz.tasks import LabelledSplit, LabelledTask
from attnviz.training import score_test, train
from attnviz.training.labelled import LabelledData
from attnviz.training.probing import probe_set
from tests.attnviz.training.tiny import number_recipe, number_task

LENGTHS = np.array([5, 2, 7, 1], np.int64)


def numbers(padding=0.0):
    """Four sequences of three features, and what is right of them."""
    features = np.random.default_rng(3).normal(size=(4, 7, 3))
    features[np.arange(7) >= LENGTHS[:, None]] = padding
    return Numbers(features, np.array([0, 2, 1, 2]), ("a", "b", "c", "d"), lengths=LENGTHS)


def alone(given, row):
    """One of the sequences by itself, without padding."""
    return Numbers(given.features[row : row + 1, : LENGTHS[row]], given.targets[row : row + 1])


def padded_task(padding):
    """The task of numbers with lengths; the padded values differ in length between the splits."""
    whole, splits = number_task(), {}
    for seed, (name, split) in enumerate(whole.splits.items()):
        longest = split.values.shape[1] - (name == "test")
        lengths = np.random.default_rng(seed).integers(2, longest, len(split), endpoint=True)
        values = split.values[:, :longest].copy()
        values[np.arange(longest) >= lengths[:, None]] = padding
        splits[name] = dataclasses.replace(split, values=values, lengths=lengths)
    return LabelledTask(whole.name, whole.classes, (), splits, whole.provenance)


@pytest.fixture
def model(double_precision):
    torch.manual_seed(1)
    options = {"window": 3, "heads": 2, "preset": "stable"}
    settings = attnviz.ModelSettings("larnn", 4, 3, input_size=3, options=options)
    return attnviz.build_model(settings).double().eval()


@pytest.mark.parametrize("padding", [0.0, 1e6])
def test_a_recording_is_of_each_sequence_to_its_own_end(model, padding):
    given = numbers(padding)

    trace = record_numbers(model, given)

    assert trace.tree["length"].values.tolist() == LENGTHS.tolist()
    for row, length in enumerate(LENGTHS):
        by_itself = record_numbers(model, alone(given, row))
        for name in ("attention", "contribution", "memory_gradient_norm"):
            found, wanted = (one.tree["l0"][name].values for one in (trace, by_itself))
            np.testing.assert_allclose(found[row, :length], wanted[0], rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(
            trace.tree["prediction"].values[row], by_itself.tree["prediction"].values[0], rtol=1e-6
        )


def test_ablation_and_paths_are_of_each_sequence_to_its_own_end(model):
    given = numbers(1e6)

    effects, paths = attnviz.ablate(model, given), number_gradient_paths(model, given)

    for row, length in enumerate(LENGTHS):
        one = alone(given, row)
        np.testing.assert_allclose(
            effects["loss_effect"][row], attnviz.ablate(model, one)["loss_effect"][0], atol=1e-12
        )
        wanted = number_gradient_paths(model, one)["input_gradient_norm"][0]
        found = paths["input_gradient_norm"][row]
        np.testing.assert_allclose(found[:length], wanted, rtol=1e-9)
        assert np.isnan(found[length:]).all()


def test_a_training_reads_no_padding(tmp_path):
    recipe = dataclasses.replace(number_recipe("rra"), epochs=2)
    weights = []
    for name, padding in (("zeros", 0.0), ("large", 1e6)):
        run = train(recipe, padded_task(padding), tmp_path / name)
        weights.append(run.model().state_dict())
        tested = score_test(run, padded_task(padding))
        assert 0 <= tested["accuracy"] <= 1 and np.isfinite(tested["loss"])
    for key, values in weights[0].items():
        torch.testing.assert_close(values, weights[1][key], rtol=0, atol=0)
    probed = probe_set(padded_task(0.0), run.model(), recipe, 5)
    held = padded_task(0.0).splits["validation"].spread(5)
    assert probed.lengths.tolist() == held.lengths.tolist() == held.timesteps.tolist()


def test_lengths_that_do_not_fit_are_refused():
    given, split = numbers(), number_task().splits["test"]
    assert padded_task(0.0).length == split.values.shape[1]
    assert (split.timesteps == split.values.shape[1]).all()
    for lengths in ([5.0, 2.0, 7.0, 1.0], [True] * 4):
        with pytest.raises(TypeError):
            dataclasses.replace(given, lengths=np.array(lengths))
        with pytest.raises(TypeError):
            dataclasses.replace(split.select(range(4)), lengths=np.array(lengths))
    assert dataclasses.replace(given, lengths=[5, 2, 7, 1]).timesteps.tolist() == LENGTHS.tolist()
    for lengths, said in (([5, 2, 8, 1], "7 timesteps, but sequence 2"), ([5, 0, 7, 1], "has 0")):
        with pytest.raises(ValueError, match=said):
            dataclasses.replace(given, lengths=np.array(lengths))
    with pytest.raises(ValueError, match="each of the 4 sequences"):
        dataclasses.replace(given, lengths=LENGTHS[:3])
    kept = LabelledSplit(split.values[:2], split.labels[:2], split.ids[:2], split.groups[:2])
    with pytest.raises(ValueError, match="2 sequences need a length each, got 1"):
        dataclasses.replace(kept, lengths=np.array([3]))
    with pytest.raises(ValueError, match="that of sequence 1 is 0"):
        dataclasses.replace(kept, lengths=np.array([3, 0]))
    values = kept.values.copy()
    values[0, 3:] = np.nan
    with pytest.raises(ValueError, match=r"padding \(fill it with zeros\), of 1 of 2 sequences"):
        dataclasses.replace(kept, values=values, lengths=np.array([3, 4]))
    task = padded_task(0.0)
    mixed = {**task.splits, "test": dataclasses.replace(task.splits["test"], lengths=None)}
    with pytest.raises(ValueError, match="without lengths of its sequences the same timesteps"):
        dataclasses.replace(task, splits=mixed)


def test_batches_are_made_by_length_and_no_longer_than_their_longest():
    task = padded_task(0.0)
    data = LabelledData(task, number_recipe("gru"))
    assert data.lengths.tolist() == task.splits["train"].lengths.tolist()
    for features, lengths, _ in data.train_dataloader():
        assert features.shape[1] == int(lengths.max())
    longest = dataclasses.replace(task, splits={**task.splits, "train": task.splits["test"],
                                                "test": task.splits["train"]})  # fmt: skip
    assert longest.length == task.length > task.splits["test"].values.shape[1]


def test_the_command_measures_each_sequence_to_its_own_end():
    inputs = _inputs(numbers())
    assert inputs.lengths.tolist() == LENGTHS.tolist() and inputs.inputs.shape == (4, 7, 3)
