import numpy as np
import pytest
from numpy.testing import assert_array_equal

from attnviz.analysis import one_sequence, sequence_blocks
from attnviz.analysis.selection import declared, lag_holds, reaching
from attnviz.trace import source_kind
from tests.attnviz import traces
from tests.attnviz.analysis.test_flow import made


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("history", [[0, 0], [3, 1]])
def test_lag_holds_says_what_source_kind_says(direction, history):
    trace = traces.rra(lags=[2, 3, 5], direction=direction, history=history)
    group = "l0" if direction > 0 else "l0_reverse"

    for kind in (0, 1, 2):
        holds = lag_holds(trace, group, kind).values
        for sequence, length in enumerate([37, 23]):
            expected = source_kind(trace, group, sequence).values == kind
            assert_array_equal(holds[sequence, :length], expected)
            assert not holds[sequence, length:].any()


def test_one_sequence_is_cut_to_its_length():
    part = one_sequence(traces.larnn(), 1)

    assert part.tree["l0"]["attention"].shape == (1, 29, 3, 7)
    assert part.tree["span"].shape == (1, 29, 2)
    assert part.tree["l0"].attrs["cell"] == "LARNN"
    assert not np.isnan(part.tree["l0"]["attention"]).any()


def test_rows_that_are_not_there_are_refused():
    trace = traces.small(np.ones((2, 3, 1, 1)), [1], lengths=[3, -1])

    with pytest.raises(IndexError, match="has no sequence 2"):
        one_sequence(trace, 2)
    with pytest.raises(IndexError, match="not recorded"):
        one_sequence(trace, 1)


def test_blocks_cover_every_sequence_once():
    trace = traces.larnn([traces.review(n) for n in (5, 6, 7, 8, 9)])

    blocks = [part.tree["length"].values.tolist() for part in sequence_blocks(trace, 2)]

    assert blocks == [[5, 6], [7, 8], [9]]


def test_a_signal_that_is_not_declared_has_neither_symbol_nor_bounds():
    trace = traces.rra()

    assert declared(trace, "l0", "attention").symbol == "ŵ"
    assert declared(trace, "l0", "attention").bounds is None
    assert declared(trace, "l0", "contribution").symbol == ""


@pytest.mark.parametrize(
    ("lengths", "longest", "last", "kept"),
    [
        ([5, 3, 4], None, 3, [0, 2]),
        ([5, 3, 4, 2], None, 2, [0, 1, 2]),
        ([5, 3, 4], 2, 2, [0, 1, 2]),
        ([5, 3, 4], 9, 3, [0, 2]),
        ([4, 4], None, 3, [0, 1]),
        ([5, -1, 3, 4], None, 3, [0, 3]),
        ([-1, -1], None, 0, []),
    ],
)
def test_sequences_that_reach_a_distance_which_half_of_them_reach(lengths, longest, last, kept):
    vectors = np.arange(len(lengths) * 5 * 4 * 2.0).reshape(len(lengths), 5, 4, 2)
    trace = made(vectors, lengths=np.maximum(lengths, 0))
    trace.tree["length"].values[:] = lengths

    part, reached = reaching(trace, longest)

    assert reached == last
    assert_array_equal(part.tree["length"], np.array(lengths)[kept])
    name = "hidden_route_norm"
    assert_array_equal(part.tree["l0"][name], trace.tree["l0"][name][kept])
