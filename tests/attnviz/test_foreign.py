import numpy as np
import pytest

from attnviz.analysis.selection import lag_holds
from attnviz.foreign import from_arrays, from_square
from attnviz.plots import plot_heatmap
from attnviz.store import open_trace, save_trace
from attnviz.trace import (
    SOURCE_INITIAL,
    SOURCE_MISSING,
    SOURCE_REAL,
    layer_groups,
    sequence_length,
    signal,
    source_kind,
    tokens,
)

SENTENCES = [["Ce", "film", "est", "très 😀"], ["bad", ""], ["a", "漢字", "x"]]


def weights(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def test_one_array_with_heads():
    given = weights(3, 4, 2, 5)

    trace = from_arrays(given, lags=[2, 3, 4, 6, 9], name="mine", ids=["x", "y", "z"])

    attention = signal(trace, "attention")
    assert attention.dims == ("sequence", "time", "head", "lag")
    assert attention.dtype == np.float32
    np.testing.assert_array_equal(attention.values, given)
    assert attention["lag"].values.tolist() == [2, 3, 4, 6, 9]
    assert layer_groups(trace) == ["l0"]
    assert trace.tree["id"].values.tolist() == ["x", "y", "z"]
    assert trace.tree["length"].values.tolist() == [4, 4, 4]
    assert trace.tree["length"].dtype == trace.tree["history"].dtype == np.int32
    assert trace.tree.attrs == {"format": "attnviz-trace/1", "model": "mine", "cell": "mine"}
    assert trace.tree["l0"].attrs["direction"] == 1
    assert tokens(trace, 1) == ["0", "1", "2", "3"]


def test_one_array_without_heads():
    given = weights(3, 4, 5)
    attention = signal(from_arrays(given), "attention")
    np.testing.assert_array_equal(attention.values, given[:, :, None])
    assert attention["lag"].values.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("heads", [(), (2,)])
def test_one_array_a_sequence(heads):
    given = [weights(len(words), *heads, 5, seed=len(words)) for words in SENTENCES]

    trace = from_arrays(given, tokens=SENTENCES, labels=[1, 0, -1])

    attention = signal(trace, "attention").values
    assert attention.shape == (3, 4, *(heads or (1,)), 5)
    for sequence, (row, words) in enumerate(zip(given, SENTENCES, strict=True)):
        held = attention[sequence, : len(words)]
        np.testing.assert_array_equal(held.reshape(row.shape), row)
        assert np.isnan(attention[sequence, len(words) :]).all()
        assert tokens(trace, sequence) == words
    assert trace.tree["text"].values.tolist() == ["Ce film est très 😀", "bad ", "a 漢字 x"]
    assert trace.tree["span"].values[1].tolist() == [[0, 3], [4, 4], [-1, -1], [-1, -1]]
    assert trace.tree["label"].values.tolist() == [1, 0, -1]
    assert trace.tree["label"].dtype == np.int32


@pytest.mark.parametrize("said", ["lengths", "tokens", "NaN"])
def test_padding_is_said_by_lengths_tokens_or_nan(said):
    given = weights(3, 6, 2, 5)
    if said != "lengths":
        for sequence, length in enumerate([4, 2, 3]):
            given[sequence, length:] = np.nan

    trace = from_arrays(
        given,
        lengths=np.array([4, 2, 3]) if said == "lengths" else None,
        tokens=SENTENCES if said == "tokens" else None,
    )

    assert [sequence_length(trace, sequence) for sequence in range(3)] == [4, 2, 3]
    attention = signal(trace, "attention").values
    assert attention.shape == (3, 4, 2, 5)
    np.testing.assert_array_equal(attention[1, :2], given[1, :2])
    assert np.isnan(attention[1, 2:]).all()


def test_contribution_and_numbers_as_labels():
    given, norms = weights(3, 4, 2, 5), weights(3, 4, 2, 5, seed=1)
    trace = from_arrays(given, contribution=norms, labels=[0.5, -1.0, 2.0], lengths=[4, 1, 2])
    found = signal(trace, "contribution").values
    np.testing.assert_array_equal(found[0], norms[0])
    assert np.isnan(found[1, 1:]).all()
    assert trace.tree["label"].dtype == np.float32


@pytest.mark.parametrize(
    ("given", "held"),
    [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("?", "f4")],
)
def test_types_are_widened_never_narrowed(given, held):
    trace = from_arrays(np.ones((2, 3, 4), given))
    assert signal(trace, "attention").dtype == np.dtype(held)


def test_a_square_is_turned_to_lags():
    square = np.tril(weights(3, 2, 4, 4))  # sequence, head, time, source

    trace = from_square(square, tokens=[["a", "b", "c", "d"]] * 3)

    attention = signal(trace, "attention")
    assert attention["lag"].values.tolist() == [0, 1, 2, 3]
    for time in range(4):
        for lag in range(4):
            expected = square[:, :, time, time - lag] if lag <= time else np.zeros((3, 2))
            np.testing.assert_array_equal(attention.values[:, time, :, lag], expected)
    assert source_kind(trace, "l0", 0).values.tolist() == [
        [0, 2, 2, 2],
        [0, 0, 2, 2],
        [0, 0, 0, 2],
        [0, 0, 0, 0],
    ]  # a Transformer has no initial state
    for kind in (SOURCE_REAL, SOURCE_INITIAL, SOURCE_MISSING):
        by_one = source_kind(trace, "l0", 0).values == kind
        assert (lag_holds(trace, "l0", kind).values[0] == by_one).all()


def test_a_stored_square_still_has_no_initial_state(tmp_path):
    trace = from_square(np.tril(weights(2, 3, 5, 5)))

    save_trace(trace, tmp_path / "a.zarr")

    opened = open_trace(tmp_path / "a.zarr")
    assert (source_kind(opened, "l0", 1).values != SOURCE_INITIAL).all()
    assert "initial state" not in {text.get_text() for text in plot_heatmap(opened).texts}


def test_squares_of_different_sizes():
    given = [np.tril(weights(n, n, seed=n)) for n in (4, 2, 3)]

    trace = from_square(given, tokens=SENTENCES, name="GPT")

    attention = signal(trace, "attention").values
    assert attention.shape == (3, 4, 1, 4)
    assert attention[1, 1, 0].tolist() == [given[1][1, 1], given[1][1, 0], 0, 0]
    assert attention[1, 0, 0].tolist() == [given[1][0, 0], 0, 0, 0]
    assert np.isnan(attention[1, 2:]).all()
    assert trace.tree.attrs["model"] == "GPT"


def test_padding_of_a_square_is_not_looked_at():
    square = np.ones((2, 3, 5, 5))
    square[:, :, :, :] = np.tril(square)
    square[1, :, 2:, :] = 7  # a row beyond the end, which looks ahead
    trace = from_square(square, lengths=[5, 2])
    assert signal(trace, "attention").values[1, :2, 2].tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
    ]


@pytest.mark.parametrize("maker", [from_arrays, from_square])
def test_a_foreign_trace_is_stored_like_any_other(tmp_path, maker):
    given = [np.tril(weights(n, n)) for n in (4, 2, 3)]
    if maker is from_arrays:
        given = [row[:, :2] for row in given]
    trace = maker(given, tokens=SENTENCES)
    save_trace(trace, tmp_path / "t.zarr")
    assert open_trace(tmp_path / "t.zarr").tree.identical(trace.tree)


def spoilt(at, value):
    given = weights(3, 4, 2, 5)
    given[at] = value
    return given


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (weights(4, 5)[0], {}, "or one a sequence|sequence 0 has shape"),
        (weights(4, 5), {}, r"sequence 0 has shape \(5,\) .* put an axis in front: array\[None\]"),
        (weights(3, 4, 2, 5, 6), {}, r"sequence 0 has shape \(4, 2, 5, 6\)"),
        ([], {}, "at least one sequence"),
        (np.array(3.0), {}, "attention should be one array"),
        ([weights(4, 5), weights(2, 6)], {}, r"\(heads, lags\) \[\(1, 5\), \(1, 6\)\]"),
        ([weights(4, 2, 5), weights(2, 3, 5)], {}, r"\[\(2, 5\), \(3, 5\)\]"),
        (weights(3, 4, 0), {}, r"sequence 0 has shape \(4, 0\)"),
        (np.ones((3, 4, 5), complex), {}, "type complex128"),
        (np.full((3, 4, 5), "a"), {}, "type <U1"),
        (spoilt((2, 1, 1, 3), np.nan), {},
         r"sequence 2 has nan at timestep 1 of 4 \(head 1, entry 3\)"),
        (spoilt((2, 3, 1, 3), np.inf), {}, "sequence 2 has inf at timestep 3 of 4"),
        (spoilt(1, np.nan), {}, "Sequence 1 has 0 timesteps"),
        (weights(3, 4, 5), {"lengths": [4, 5, 1]}, "Sequence 1 has 5 timesteps, but its .* has 4"),
        (weights(3, 4, 5), {"lengths": [4, 0, 1]}, "Sequence 1 has 0 timesteps"),
        (weights(3, 4, 5), {"lengths": [4, 4]}, "3 sequences, but lengths holds 2"),
        (weights(2, 4, 5), {"tokens": SENTENCES}, "2 sequences, but tokens holds 3"),
        (weights(3, 4, 5), {"tokens": SENTENCES},
         "Sequence 1 has 2 tokens, but weights for 4 timesteps.*if the rest is padding, lengths="),
        (weights(3, 4, 5), {"tokens": SENTENCES, "lengths": [4, 3, 3]},
         "Sequence 1 has 3 timesteps, but 2 tokens"),
        (weights(3, 3, 5), {"tokens": SENTENCES}, "Sequence 0 has 4 timesteps, but its .* has 3"),
        (weights(3, 4, 5), {"lags": [1, 2, 3, 4]}, "lags needs 5 different whole numbers"),
        (weights(3, 4, 5), {"lags": [1, 2, 3, 4, 4]}, "lags needs 5 different"),
        (weights(3, 4, 5), {"lags": [-1, 2, 3, 4, 5]}, "0 or more"),
        (weights(3, 4, 5), {"ids": ["a", "b"]}, "3 different names, one a sequence, but got 2"),
        (weights(3, 4, 5), {"ids": ["a", "b", "a"]}, "of which 2 differ"),
        (weights(3, 4, 5), {"labels": [1, 0]}, r"3 numbers, one a sequence, but has shape \(2,\)"),
        (weights(3, 4, 5), {"contribution": weights(2, 4, 5)},
         "as many sequences as attention, 3, but has 2"),
        (weights(3, 4, 5), {"contribution": weights(3, 4, 2, 5)},
         r"in sequence 0 it has \(time, head, lag\) \(4, 2, 5\) and attention \(4, 1, 5\)"),
        (weights(3, 4, 5), {"contribution": weights(3, 4, 5) * np.nan},
         "contribution needs a finite number"),
    ],
)  # fmt: skip
def test_refuses(given, more, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(given, **more)


def test_refuses_attention_that_looks_ahead():
    square = np.tril(weights(3, 2, 4, 4))
    square[1, 1, 0, 2] = 0.25
    message = "in sequence 1, head 1, timestep 0 pays 0.25 to the later timestep 2"
    with pytest.raises(ValueError, match=message):
        from_square(square)


def test_refuses_what_is_not_square():
    with pytest.raises(ValueError, match="sequence 0 has 4 timesteps and 3 sources"):
        from_square(weights(2, 4, 3))
