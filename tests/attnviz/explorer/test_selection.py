from dataclasses import replace

import numpy as np
import pytest

from attnviz.explorer.selection import (
    Filter,
    Link,
    Row,
    matching,
    readers,
    said_aloud,
    same_word,
    source_of,
    sources,
    turning_point,
)
from attnviz.trace import SOURCE_INITIAL, SOURCE_MISSING, SOURCE_REAL, source_kind
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import extra, lens, panel, score, spans_of

SIZES = [
    {"direction": direction, "history": history, "initial_state": initial}
    for direction in (1, -1) for history in (0, 3) for initial in (True, False)
]  # fmt: skip


def what_stands_there(shown, timestep, distance):
    """By writing out, in the order of reading, all states there are, and counting back."""
    order = list(range(shown.length))[:: shown.direction]
    states = [("initial", -1)] if shown.initial_state else [("nothing", -1)]
    states += [("carried", -1)] * shown.history + [("word", timestep) for timestep in order]
    place = states.index(("word", timestep)) - distance
    return states[place] if place >= 0 else ("nothing", -1)


KINDS = {
    "word": SOURCE_REAL, "carried": SOURCE_REAL, "initial": SOURCE_INITIAL,
    "nothing": SOURCE_MISSING,
}  # fmt: skip


@pytest.mark.parametrize("how", SIZES)
def test_what_stands_at_a_distance(how):
    shown = panel(time=7, **how)

    for timestep in range(7):
        for distance in range(14):
            kind, other = what_stands_there(shown, timestep, distance)
            assert source_of(shown, timestep, distance) == (other, KINDS[kind])


@pytest.mark.parametrize("direction", [1, -1])
def test_a_panel_and_a_trace_agree_on_what_is_real(direction):
    history = [0, 4]
    trace = traces.rra(direction=direction, history=history)
    group = "l0" if direction > 0 else "l0_reverse"
    for sequence, carried in enumerate(history):
        held = source_kind(trace, group, sequence)
        shown = panel(time=held.sizes["time"], direction=direction, history=carried)
        for timestep in range(shown.length):
            for column, lag in enumerate(held["lag"].values):
                found = source_of(shown, timestep, int(lag))[1]
                assert found == held.values[timestep, column]


@pytest.mark.parametrize("how", SIZES)
@pytest.mark.parametrize("head", [-1, 0, 1])
def test_sources_are_what_a_slow_loop_finds(how, head):
    draw = np.random.default_rng(3)
    values = draw.normal(size=(2, 9, 4)) * draw.integers(0, 2, (2, 9, 4))  # zeros here and there
    shown = panel(time=9, lenses=[lens(values, [1, 2, 4, 6])], **how)
    held = shown.lenses[0].values.astype(float)
    chosen = held.mean(axis=0).astype(np.float32) if head < 0 else held[head]

    for timestep in range(9):
        expected = []
        for column, lag in enumerate([1, 2, 4, 6]):
            kind, other = what_stands_there(shown, timestep, lag)
            value = float(chosen[timestep, column])
            label = {
                "word": f"w{other}", "carried": "carried in", "initial": "initial state",
                "nothing": "before the first word",
            }[kind]  # fmt: skip
            if kind in ("word", "carried") or value != 0:
                expected.append((other, lag, value, label))
        found = sources(shown, shown.lenses[0], head=head, timestep=timestep)
        assert {(o.timestep, o.distance, o.value, o.label) for o in found} == set(expected)
        assert len(found) == len(expected)
        sizes = [abs(link.value) for link in found]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("how", SIZES)
@pytest.mark.parametrize("axis", ["lag", "age"])
def test_every_source_knows_its_reader_and_every_reader_its_source(how, axis):
    draw = np.random.default_rng(4)
    distances = [0, 1, 3, 5]
    shown = panel(time=8, lenses=[lens(draw.random((2, 8, 4)) + 0.1, distances, axis=axis)], **how)
    looked = shown.lenses[0]
    pairs, back = set(), set()
    for timestep in range(8):
        for link in sources(shown, looked, head=1, timestep=timestep):
            if link.timestep >= 0 and link.distance > 0:
                pairs.add((timestep, link.timestep, link.distance, link.value))
        found = readers(shown, looked, head=1, timestep=timestep)
        back |= {(link.timestep, timestep, link.distance, link.value) for link in found}
        assert [link.label for link in found] == [f"w{link.timestep}" for link in found]
        sizes = [link.value for link in found]
        assert sizes == sorted(sizes, reverse=True)

    assert pairs == back
    assert len(pairs) == 7 + 5 + 3  # by hand: distances 1, 3 and 5 in eight words
    later = 1 if how["direction"] > 0 else -1
    assert all((reading - read) * later == distance for reading, read, distance, _ in pairs)


def test_age_zero_is_the_word_itself():
    shown = panel(time=5, lenses=[lens(np.full((1, 5, 2), 0.5), [0, 1], axis="age")])

    assert Link(3, 0, 0.5, "w3") in sources(shown, shown.lenses[0], head=-1, timestep=3)
    assert [link.timestep for link in readers(shown, shown.lenses[0], head=-1, timestep=3)] == [4]


def test_extras_stand_among_the_sources_by_size_and_nan_is_nothing():
    values = np.array([[[0.5, np.nan], [0.2, 0.1], [0.3, 0.05]]])
    extras = [extra("older", [0.0, 0.15, 0.4]), extra("left", [0.5, 0.25, 0.01])]
    shown = panel(time=3, lenses=[lens(values, [0, 1], axis="age", extras=extras)])

    found = sources(shown, shown.lenses[0], head=-1, timestep=1)
    assert [link.label for link in found] == ["left", "w1", "older", "w0"]
    assert [round(link.value, 6) for link in found] == [0.25, 0.2, 0.15, 0.1]
    assert [link.distance for link in found] == [-1, 0, -1, 1]
    first = sources(shown, shown.lenses[0], head=-1, timestep=0)
    assert {link.label for link in first} == {"w0", "older", "left"}


def test_features_are_sources_and_have_no_readers():
    kinds = ["input", "input", "hidden"]
    looked = lens(np.arange(12).reshape(1, 4, 3), [0, 1, 2], axis="feature", kinds=kinds)
    shown = panel(time=4, lenses=[looked])

    found = sources(shown, looked, head=-1, timestep=2)
    assert found == [
        Link(-1, 2, 8.0, "hidden 0"), Link(-1, 1, 7.0, "input 1"), Link(-1, 0, 6.0, "input 0"),
    ]  # fmt: skip
    assert readers(shown, looked, head=-1, timestep=2) == []
    assert said_aloud(shown, looked, head=-1, timestep=2, count=1) == (
        "hand, word 3 of 4: w2. the attention: hidden 0, 8."
    )


def test_rows_of_single_timesteps():
    values = np.array([[[0.1, 0.2, 0.3, np.nan, np.nan], [0.5, 0.6, 0.7, 0.8, 0.9]]])
    looked = lens(values, [0, 1, 2, 3, 4], "influence", at=[2, 4])
    shown = panel(time=6, lenses=[looked])

    assert sources(shown, looked, head=-1, timestep=3) == []
    found = sources(shown, looked, head=-1, timestep=2)
    assert [(link.timestep, link.distance) for link in found] == [(0, 2), (1, 1), (2, 0)]
    found = sources(shown, looked, head=-1, timestep=4)
    assert [link.timestep for link in found] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([link.value for link in found], [0.9, 0.8, 0.7, 0.6, 0.5], rtol=1e-6)
    found = readers(shown, looked, head=-1, timestep=1)
    assert [(link.timestep, link.distance) for link in found] == [(4, 3), (2, 1)]
    np.testing.assert_allclose([link.value for link in found], [0.8, 0.2], rtol=1e-6)


@pytest.mark.parametrize("find", [sources, readers])
@pytest.mark.parametrize("timestep", [-1, 6])
def test_a_timestep_that_is_not_there_is_refused(find, timestep):
    shown = panel(time=6)
    with pytest.raises(IndexError, match=f"hand has 6 timesteps.*but {timestep} was selected"):
        find(shown, shown.lenses[0], head=0, timestep=timestep)
    with pytest.raises(IndexError, match="has 2 heads"):
        find(shown, shown.lenses[0], head=2, timestep=1)


def test_the_strongest_sources_are_said_aloud():
    values = np.array(
        [[[0.9, 0.8, 0.7], [0.1, -0.5, 0.25], [0.1, 0.2, 0.3], [0.12345678, -0.5, 0]]]
    )
    shown = panel(time=4, lenses=[lens(values, [1, 2, 4])])

    def said(timestep, **how):
        return said_aloud(shown, shown.lenses[0], head=-1, timestep=timestep, **how)

    start = "word 2 of 4: w1. the attention: "
    assert said(1) == (
        f"hand, {start}initial state at lag 2, -0.5; before the first word at lag 4, 0.25; "
        "w0 at lag 1, 0.1."
    )
    assert (
        said(3) == "hand, word 4 of 4: w3. the attention: w1 at lag 2, -0.5; w2 at lag 1, 0.1235."
    )
    assert said(3, count=1).endswith("the attention: w1 at lag 2, -0.5.")
    nothing = lens(np.zeros((1, 0, 0)), [], "influence", at=[])
    expected = "hand, word 1 of 4: w0. the influence: nothing to read."
    assert said_aloud(shown, nothing, head=-1, timestep=0) == expected
    parts = lens(np.zeros((1, 4, 1)), [0], axis="age", extras=[extra("left", [0.5] * 4)])
    assert said_aloud(shown, parts, head=-1, timestep=1).endswith("left, 0.5; w1 at age 0, 0.")


def test_the_same_word_is_found_where_another_panel_was_cut():
    whole = panel(time=6)
    spans = spans_of([f"w{number}" for number in range(6)])
    end, start = panel(time=6, spans=spans[2:]), panel(time=6, spans=spans[:4])

    assert [same_word(whole, n, end) for n in range(-1, 6)] == [-1, -1, -1, 0, 1, 2, 3]
    assert [same_word(whole, n, start) for n in range(6)] == [0, 1, 2, 3, -1, -1]
    assert [same_word(end, n, start) for n in range(4)] == [2, 3, -1, -1]
    assert same_word(whole, 5, whole) == 5
    assert same_word(whole, -1, whole) == -1


def test_the_same_word_is_the_token_that_holds_its_first_character():
    apart = panel(time=3, text="isn't it", spans=np.array([[0, 2], [2, 5], [6, 8]], "int32"))
    joined = panel(time=2, text="isn't it", spans=np.array([[0, 5], [6, 8]], "int32"))

    assert [same_word(apart, n, joined) for n in range(3)] == [0, 0, 1]
    assert [same_word(joined, n, apart) for n in range(2)] == [0, 2]


@pytest.mark.parametrize(
    ("values", "turns"),
    [
        ([0.5, 0.6, 0.2, 0.9, 0.8], 3),
        ([0.5, 0.6, 0.1, 0.2, 0.3], 2),
        ([0.1, 0.9, 0.8, 0.7, 0.6], 1),
        ([np.nan, 0.9, 0.8, 0.5, 0.6], 3),
        ([0.5, 0.5, 0.5, 0.5, 0.9], 4),
    ],
)
def test_the_prediction_turns_at_the_word_that_moves_it_most(values, turns):
    assert turning_point(panel(time=5, tracks=[score(values)])) == turns


def test_the_first_words_are_no_place_to_begin():
    values = np.full(100, 0.5)
    for timestep, step in ((19, 0.4), (20, 0.2), (60, 0.3)):
        values[timestep:] += step * (1 if timestep == 20 else -1) * 0.5
    assert turning_point(panel(time=100, tracks=[score(values)])) == 60
    assert turning_point(panel(time=48, tracks=[score(values[:48])])) == 19  # a quarter: 12
    assert turning_point(panel(time=59, tracks=[score(values[1:60])])) == 18
    values[60:] += 0.1
    assert turning_point(panel(time=100, tracks=[score(values)])) == 20


def test_what_reads_from_the_end_turns_where_it_comes_from_what_follows():
    values = [0.5, 0.5, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9]
    shown = panel(time=8, tracks=[score(values)], direction=-1)
    assert turning_point(shown) == 4
    assert turning_point(replace(shown, tracks=[score(values[::-1])])) == 2
    late = panel(time=8, tracks=[score([0.5, 0.2, 0.2, 0.2, 0.2, 0.2, 0.9, 0.0])], direction=-1)
    assert turning_point(late) == 5


def test_the_prediction_of_several_classes_turns_with_any_of_them():
    one, two = score([0.5, 0.4, 0.4, 0.3]), score([0.1, 0.2, 0.5, 0.5])
    both = replace(one, series=[*one.series, *two.series])
    assert turning_point(panel(time=4, tracks=[both])) == 2


def test_without_a_running_prediction_the_middle_is_a_place_to_begin():
    assert turning_point(panel(time=7, tracks=[])) == 3
    assert turning_point(panel(time=1, tracks=[score([0.5])])) == 0


ROWS = [
    Row(0, "a", "A Good film", 1, 1, 3),
    Row(1, "b", "a bad film", 0, 1, 5),
    Row(2, "c", "STRASSE, good", 1, -1, 8),
    Row(3, "d", "straße", -1, 0, 1),
    Row(4, "e", "not read yet", 0, 0, -1),
]


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"label": 1}, [0, 2]),
        ({"label": -1}, [3]),
        ({"label": 7}, []),
        ({"right": True}, [0, 4]),
        ({"right": False}, [1]),
        ({"shortest": 5}, [1, 2]),
        ({"shortest": 3}, [0, 1, 2]),
        ({"longest": 3}, [0, 3]),
        ({"longest": 5, "shortest": 2}, [0, 1]),
        ({"contains": "GOOD"}, [0, 2]),
        ({"contains": "Straße"}, [2, 3]),
        ({"contains": "film", "right": False, "label": 0}, [1]),
        ({"label": None, "right": None, "shortest": None, "longest": None, "contains": ""},
         [0, 1, 2, 3, 4]),
    ],
)  # fmt: skip
def test_a_filter_leaves_what_fits(chosen, left):
    assert [row.sequence for row in matching(ROWS, Filter.of(chosen))] == left


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"labels": 1}, r"A filter knows \['contains', 'label', .*but got \['labels'\]"),
        ({"contains": None}, "'contains' is a text, but got None"),
        ({"label": "1"}, "'label' is a whole number or none, but got '1'"),
        ({"right": 1}, "'right' is true or false or none, but got 1"),
        ({"shortest": 2.5}, "'shortest' is a whole number or none, but got 2.5"),
        ({"longest": True}, "'longest' is a whole number or none, but got True"),
    ],
)
def test_a_filter_that_is_none_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Filter.of(given)
