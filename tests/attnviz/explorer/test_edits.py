import pytest

from attnviz.explorer.edits import Edits
from attnviz.explorer.panels import Switches


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({}, "unedited"),
        ({"lags": [3]}, "lag 3 off"),
        ({"lags": [5, 2, 5]}, "lags 2, 5 off"),
        ({"heads": [0]}, "head 0 off"),
        ({"heads": [2, 0]}, "heads 0, 2 off"),
        ({"uniform": True}, "uniform attention"),
        ({"uniform": True, "lags": (4,), "heads": [1]},
         "uniform attention, lag 4 off, head 1 off"),
    ],
)  # fmt: skip
def test_edits_say_what_they_are(given, label):
    edits = Edits.of(given)

    assert edits.label == label
    assert bool(edits) is (label != "unedited")
    assert Edits.of(edits.told()) == edits
    assert edits.told() == {
        "lags": sorted(set(given.get("lags", []))),
        "heads": sorted(set(given.get("heads", []))),
        "uniform": given.get("uniform", False),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lag": [3]}, r"edits knows 'lags', 'heads' and 'uniform', but got \['lag'\]"),
        ({"lags": 3}, r"edits\['lags'\] is a list of whole numbers, but got 3"),
        ({"lags": "3"}, r"edits\['lags'\] is a list of whole numbers, but got '3'"),
        ({"lags": [1.0]}, r"a list of whole numbers, but got \[1\.0\]"),
        ({"heads": [True]}, r"edits\['heads'\] is a list of whole numbers, but got \[True\]"),
        ({"uniform": 1}, r"edits\['uniform'\] is true or false, but got 1"),
        ({"uniform": None}, "true or false, but got None"),
    ],
)
def test_what_is_no_edit_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Edits.of(given)


@pytest.mark.parametrize(
    ("switches", "lags", "heads", "uniform"),
    [
        (Switches([2, 3, 4], 1), (3,), (0,), True),
        (Switches([1, 2, 3, 9], 4), (3, 9), (0, 2), True),
        (Switches([5], 2), (), (0,), True),
        (Switches([], 1), (), (), True),  # attention over features: no head is told apart
        (None, (), (), False),
    ],
)
def test_a_cell_takes_the_part_that_it_knows(switches, lags, heads, uniform):
    chosen = Edits((3, 9), (0, 2), True)

    assert chosen.within(switches) == Edits(lags, heads, uniform)


def test_an_edit_is_fine_if_one_cell_knows_it():
    cells = [None, Switches([1, 2], 4), Switches([2, 3], 1), Switches([], 1)]
    for edits in (Edits((1, 3)), Edits(heads=(3,)), Edits(uniform=True)):
        assert edits.check(cells) is edits
    with pytest.raises(
        ValueError, match=r"switches off lags 4, 7, but the cells shown here have \[1, 2, 3\]"
    ):
        Edits((1, 4, 7)).check(cells)
    with pytest.raises(ValueError, match=r"switches off head 4, .* have \[0, 1, 2, 3\]"):
        Edits(heads=(4,)).check(cells)
    with pytest.raises(ValueError, match=r"switches off lag 1, .* have no lags"):
        Edits((1,)).check([None])
    with pytest.raises(ValueError, match=r"switches off head 0, .* have no heads"):
        Edits(heads=(0,)).check([Switches([], 1)])
