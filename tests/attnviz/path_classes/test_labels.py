import pytest

from attnviz.path_classes import DIRECT, PathOptions, label_routes

ROUTES = ["gates", "candidate", "memory", "shortcut"]


def test_classes_are_the_sets_of_labels():
    paths = label_routes("RRACell", ROUTES, PathOptions())

    assert paths.names == [
        DIRECT, "gates", "memory", "gates+memory", "shortcut", "gates+shortcut", "memory+shortcut",
        "gates+memory+shortcut",
    ]  # fmt: skip
    assert paths.label_of["candidate"] == "gates"


def test_an_edge_adds_its_label():
    paths = label_routes("RRACell", ROUTES, PathOptions(hops=2))

    before, after = paths.moves("candidate")
    assert before.tolist() == list(range(8))
    assert after.tolist() == [1, 1, 3, 3, 5, 5, 7, 7]
    # Behind the classes, 8 is one shortcut alone and 9 two or more; other edges end these.
    before, after = paths.moves("shortcut")
    assert dict(zip(before.tolist()[8:], after.tolist()[8:], strict=True)) == {0: 8, 8: 9, 9: 9}
    # c → h keeps everything as it is.
    assert paths.moves("hidden")[1].tolist() == list(range(10))


def test_labels_of_ones_own():
    options = PathOptions(labels={"skip": ["shortcut"], "rest": ["gates", "memory"]})

    paths = label_routes("RRACell", ROUTES, options)

    assert paths.names == [DIRECT, "skip", "rest", "skip+rest"]
    assert paths.moves("candidate")[1].tolist() == [0, 1, 2, 3]
    assert label_routes("RRACell", ROUTES, PathOptions(labels={})).names == [DIRECT]


def test_refusals(unchecked):
    def of(routes=ROUTES, **options):
        return label_routes("RRACell", routes, PathOptions(**options))

    with pytest.raises(ValueError, match=r"'a' names the route 'hidden'.*Uses within one timestep"):
        of(labels={"a": ["hidden"]})
    with pytest.raises(ValueError, match="'memory' is in two labels, 'a' and 'b'"):
        of(labels={"a": ["memory"], "b": ["memory"]})
    with pytest.raises(ValueError, match=r"6 labels of paths.*64 classes"):
        of([f"route{n}" for n in range(6)])
    with pytest.raises(ValueError, match=r"label 'shortcut', but .* \['gates', 'memory'\]"):
        of(ROUTES[:3], hops=2)
    with pytest.raises(ValueError, match="cannot be -1"):
        of(hops=-1)
    with pytest.raises(ValueError, match="'recursion' or 'doors', got 'door'"):
        of(method="door")
    with pytest.raises(ValueError, match="Hops are counted by the recursion only"):
        of(method="doors", hops=1)
