"""A path or a name where what it stands for is needed: said with what opens it.

Asked in a process of its own: the tests check all types, which a user's calls do not.
"""

import json
import subprocess
import sys

import pytest

import attnviz

PLOTS = [name for name in attnviz.__all__ if name.startswith("plot_")]
TRACES = ["attnviz.signal(path, 'attention')", "attnviz.tokens(path, 0)",
          "attnviz.save_trace(path, 'b.zip')", "attnviz.layer_groups(path)"]  # fmt: skip
MODELS = ["record_texts", "ablate", "text_gradient_paths"]
RANGES = [
    f"PlotOptions({name}={ends})"
    for name in ("tokens", "lags", "limits")
    for ends in ("'room'", "(0, 1, 2)", "(0,)", "4", "(None, 3)")
]
ASK = """
import json, sys
import attnviz
from attnviz.plots import PlotOptions
path, found = "a.zarr", {}
for call in json.load(sys.stdin):
    try:
        eval(call)
    except TypeError as error:
        found[call] = str(error)
json.dump(found, sys.stdout)
"""


def said(calls):
    done = subprocess.run(
        [sys.executable, "-c", ASK], input=json.dumps(calls), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert list(found) == calls
    return found


def test_a_path_is_neither_drawn_nor_a_trace_and_a_range_is_two_numbers():
    value = {"plot_score_against": ", value='x'"}
    plots = {f"attnviz.{name}(path{value.get(name, '')})": name for name in PLOTS}
    assert len(plots) >= 15
    found = said([*plots, *TRACES, *RANGES])
    for call, name in plots.items():
        assert found[call].startswith(f"{name} draws what is open, but got the path 'a.zarr'.")
    for call in TRACES:
        assert "takes a Trace, got str. attnviz.open_trace(path) opens" in found[call]
    for call in RANGES:
        assert " takes two numbers, such as (0, 40), got " in found[call]


def test_what_is_drawn_by_name_is_not_drawn_alone():
    trace = "attnviz.from_square([[[0.5, 0.0], [0.5, 0.5]]])"
    calls = {
        f"attnviz.plot_exit_routes({trace})": "plot_exit_routes draws traces by the name to show",
        f"attnviz.plot_vanishing({trace})": "plot_vanishing draws paths by the name to show",
        "attnviz.plot_learning_curves([])": "plot_learning_curves draws histories by the name",
    }
    for call, words in said([*calls]).items():
        assert words.startswith(calls[call])


def test_what_counts_as_two_numbers():
    ask = "import numpy as np, xarray as xr; from attnviz.plots import PlotOptions; "
    for ends in ("np.array([0.0, 1.0])", "[0, np.float32(1)]", "(0, xr.DataArray(1.0))"):
        subprocess.run([sys.executable, "-c", f"{ask}PlotOptions(limits={ends})"], check=True)


def test_packages_are_there_without_an_import():
    done = subprocess.run(
        [sys.executable, "-c", "import attnviz; print(attnviz.plots.figure_width('column') > 0)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "True\n"


def test_a_name_is_no_model():
    pytest.importorskip("torch")
    calls = [f"attnviz.{name}('rra-imdb', ['Slow, but wonderful.'])" for name in MODELS]
    for words in said(calls).values():
        assert "a SequenceModel, such as attnviz.load_model(name) returns, but got str" in words
