import json

import numpy as np
import pytest

from attnviz.explorer.encoding import encode_panel
from attnviz.explorer.panels import Edited, Switches, Variant
from tests.attnviz.explorer.subjects import extra, lens, panel, score


class Kept:
    """Stands for arrays by their numbers, and keeps them."""

    def __init__(self):
        self.arrays = []

    def __call__(self, values):
        self.arrays.append(np.array(values))
        return f"array {len(self.arrays) - 1}"

    def of(self, told):
        return self.arrays[int(told.removeprefix("array "))]


def full():
    """A panel that has everything."""
    draw = np.random.default_rng(0)
    many = lens(draw.normal(size=(3, 7, 2)), [1, 4])
    ages = lens(
        draw.random((1, 7, 5)), range(5), "gate_attention", axis="age",
        extras=[extra("older", draw.random(7)), extra("left", draw.random(7))],
    )  # fmt: skip
    kinds = ["input", "input", "hidden"]
    features = lens(draw.random((1, 7, 3)), [0, 1, 2], "features", axis="feature", kinds=kinds)
    rows = lens(draw.random((1, 2, 4)), [0, 1, 2, 3], "influence", at=[3, 5])
    changed = lens(draw.normal(size=(3, 7, 2)), [1, 4])
    edited = Edited("lag 4 off", [0.4, 0.6], [changed], [score(draw.random(7))], [0.25, 0.75])
    variant = Variant({"lags": [1], "heads": [], "uniform": False}, edited)
    return panel(
        time=7, lenses=[many, ages, features, rows], tracks=[score(draw.random(7))], edited=edited,
        variants=[variant], direction=-1, history=2, initial_state=False, notes=["a note"],
        layers=["l0", "l1"], switches=Switches([1, 4], 3),
    )  # fmt: skip


def test_a_panel_is_told_whole():
    shown, numbers = full(), Kept()
    told = encode_panel(shown, numbers)

    assert json.loads(json.dumps(told)) == told
    assert set(told) == {
        "key", "title", "cell", "layer", "layers", "text", "spans", "classes", "label",
        "prediction", "direction", "history", "initial", "notes", "lenses", "tracks", "switches",
        "edited", "variants",
    }  # fmt: skip
    np.testing.assert_array_equal(numbers.of(told["spans"]), shown.spans)
    assert (told["direction"], told["history"], told["initial"]) == (-1, 2, False)
    assert told["switches"] == {"lags": [1, 4], "heads": 3, "uniform": True}
    assert (told["notes"], told["layers"], told["label"]) == (["a note"], ["l0", "l1"], 1)
    assert (told["edited"]["label"], told["edited"]["unedited"]) == ("lag 4 off", [0.25, 0.75])
    assert told["edited"]["prediction"] == [0.4, 0.6]
    assert told["variants"][0]["edits"] == {"lags": [1], "heads": [], "uniform": False}
    assert told["variants"][0]["label"] == "lag 4 off"


def test_a_lens_is_told_by_head_with_the_mean_first():
    shown, numbers = full(), Kept()
    told = encode_panel(shown, numbers)["lenses"]

    many, ages, features, rows = told
    assert many["heads"] == ["mean", "head 0", "head 1", "head 2"]
    assert len(many["values"]) == 4
    for entry, head in zip(many["values"], (-1, 0, 1, 2), strict=True):
        np.testing.assert_array_equal(numbers.of(entry), shown.lenses[0].head(head))
    assert (many["sources"], many["signed"], many["at"], many["kinds"]) == ([1, 4], True, None, [])
    assert (ages["heads"], ages["axis"], ages["signed"]) == (["all"], "age", False)
    assert [one["label"] for one in ages["extras"]] == ["older", "left"]
    for entry, held in zip(ages["extras"], shown.lenses[1].extras, strict=True):
        np.testing.assert_array_equal(numbers.of(entry["values"]), held.values)
    assert features["kinds"] == ["input", "input", "hidden"]
    assert rows["at"] == [3, 5]
    np.testing.assert_array_equal(numbers.of(rows["values"][0]), shown.lenses[3].values[0])


@pytest.mark.parametrize(("only", "there"), [(-1, []), (0, [0]), (2, [2])])
def test_only_the_head_that_is_looked_at_goes_along(only, there):
    shown, numbers = full(), Kept()
    told = encode_panel(shown, numbers, only=only)

    for found, held in ((told, shown), (told["edited"], shown.edited)):
        mean, *each = found["lenses"][0]["values"]
        np.testing.assert_array_equal(numbers.of(mean), held.lenses[0].head(-1))
        assert [n for n, entry in enumerate(each) if entry is not None] == there
        for head in there:
            np.testing.assert_array_equal(numbers.of(each[head]), held.lenses[0].head(head))
    assert told["lenses"][1]["values"] != [None]


def test_tracks_and_nothing():
    numbers = Kept()
    told = encode_panel(full(), numbers)["tracks"][0]
    assert (told["name"], told["kind"], told["range"]) == ("score", "lines", [0.0, 1.0])
    np.testing.assert_array_equal(
        numbers.of(told["series"][0]["values"]), full().tracks[0].series[0].values
    )
    plain = encode_panel(panel(switches=None), numbers)
    assert (plain["switches"], plain["edited"], plain["variants"]) == (None, None, [])
