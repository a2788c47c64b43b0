import io

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_array_equal

import attnviz
from attnviz.analysis import Statistic, lag_kernel
from attnviz.plots import PlotOptions, provenance_of, save_numbers
from attnviz.plots.lag_map import lag_numbers
from tests.attnviz import traces


def read(path):
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    count = next(at for at, line in enumerate(lines) if not line.startswith("#"))
    return lines[:count], pd.read_csv(io.StringIO("".join(lines[count:])))


def test_a_row_for_each_number_with_its_token(tmp_path):
    trace = traces.larnn(['He said "no", # then left again today'])
    statistic = lag_numbers(trace, "attention", PlotOptions())

    said, table = read(save_numbers(statistic, tmp_path / "a/n.csv", provenance={"model": "m\nn"}))

    assert said == ['# model: "m\\nn"\n', "# statistic: attention\n", "# unit: weight\n"]
    assert list(table) == ["timestep", "token", "head", "lag", "holds", "value"]
    assert_array_equal(table["value"], statistic.values.values.ravel())
    assert table["token"][::21].tolist() == [
        "He",
        "said",
        '"',
        "no",
        '"',
        ",",
        "#",
        *"then left again today".split(),
    ]
    assert table["holds"][:3].tolist() == ["initial", "missing", "missing"]


def test_the_uncertainty_has_a_column(tmp_path):
    statistic = lag_kernel(traces.larnn())

    said, table = read(save_numbers(statistic, tmp_path / "n.csv", provenance={}))

    assert "# uncertainty: standard deviation over 2 sequences\n" in said
    assert_array_equal(table["uncertainty"], statistic.uncertainty.values.ravel())


def test_a_bare_array_and_missing_numbers(tmp_path):
    array = xr.DataArray(np.array([[1.5, np.nan], [3.0, 4.0]]), dims=("sequence", "time"))

    path = save_numbers(array, tmp_path / "n.csv", provenance={})

    assert path.read_text() == "sequence,time,value\n0,0,1.5\n0,1,\n1,0,3.0\n1,1,4.0\n"


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"writes \.csv, but n\.xlsx"):
        save_numbers(lag_kernel(traces.rra()), tmp_path / "n.xlsx", provenance={})


def test_provenance_of_a_trace():
    said = provenance_of(traces.rra())

    versions = said.pop("versions")
    assert versions.startswith(f"attnviz {attnviz.__version__}, matplotlib ")
    assert said == {
        "model": "rra-imdb", "cell": "RRA", "task": "imdb", "split": "test", "mode": "eval",
        "format": "attnviz-trace/1",
    }  # fmt: skip


def test_an_interval_has_a_column_for_each_end(tmp_path):
    values = xr.DataArray([1.0, 2.0], {"distance": [0, 1]}, ("distance",))
    ends = xr.DataArray([[0.5, 1.5], [1.0, 4.0]], {"end": ["low", "high"]}, ("distance", "end"))
    statistic = Statistic("gradient", values, "", uncertainty=ends, uncertainty_of="interval")

    path = save_numbers(statistic, tmp_path / "gradient.csv", provenance={})

    table = pd.read_csv(path, comment="#")
    assert list(table) == ["distance", "value", "low", "high"]
    assert table.to_numpy().tolist() == [[0, 1, 0.5, 1.5], [1, 2, 1, 4]]
