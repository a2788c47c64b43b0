import numpy as np
import pytest
import xarray as xr

from attnviz.analysis import Statistic
from attnviz.plots import save_tabular
from attnviz.plots.provenance import read_comments

VALUES = xr.DataArray(
    [[0.5, np.nan], [-12.25, 3.0], [0.0, 7.125]], dims=("head", "lag"), coords={"lag": [2, 5]}
)


def written(path, values, **more):
    statistic = Statistic("mean_$x$", values, unit="weight", **more)
    text = save_tabular(statistic, path / "t.tex", provenance={"model": "a_b"}).read_text()
    return [line for line in text.splitlines() if not line.startswith("%")]


def test_the_last_axis_gives_the_columns(tmp_path):
    lines = written(tmp_path, VALUES)
    assert lines[0] == r"\begin{tabular}{lrr}" and lines[-1] == r"\end{tabular}"
    assert r"mean\_\$x\$" in lines[2]
    assert lines[3] == r"head & 2 & 5 \\"
    assert lines[5:8] == [r"0 & 0.5 & -- \\", r"1 & $-12.2$ & 3.0 \\", r"2 & 0.0 & 7.1 \\"]
    assert read_comments(tmp_path / "t.tex")["model"] == "a_b"


def test_a_lag_before_the_start_is_a_dash_or_a_weight_in_parentheses(tmp_path):
    holds = [["real", "missing"], ["missing", "real"], ["missing", "real"]]
    values = VALUES.fillna(0).assign_coords(holds=(("head", "lag"), holds))
    lines = written(tmp_path, values)
    assert lines[5:8] == [r"0 & 0.5 & -- \\", r"1 & ($-12.2$) & 3.0 \\", r"2 & -- & 7.1 \\"]
    assert "lag that reaches" in read_comments(tmp_path / "t.tex")["in parentheses"]
    written(tmp_path, VALUES)
    assert "in parentheses" not in read_comments(tmp_path / "t.tex")


def test_a_curve_over_the_rows_has_a_column(tmp_path):
    curve = VALUES.rename(head="time").assign_coords(
        norm=("time", [1234.5, 0.000123456, np.nan]), token=("time", ["a_b", "c", "d"])
    )
    lines = written(tmp_path, curve)
    assert lines[3] == r"token & norm & 2 & 5 \\"
    assert lines[5:8] == [
        r"a\_b & 1.23e+03 & 0.5 & -- \\", r"c & 0.000123 & $-12.2$ & 3.0 \\",
        r"d & -- & 0.0 & 7.1 \\",
    ]  # fmt: skip


def test_spreads_and_intervals_are_written(tmp_path):
    one = VALUES.isel(head=1, drop=True)
    spread = written(tmp_path, one, uncertainty=xr.full_like(one, 0.5), uncertainty_of="sd")
    assert spread[-3:-1] == [r"5 & 3.0 $\pm$ 0.5 \\", r"\hline"]
    ends = xr.concat([one - 1, one + 1], xr.IndexVariable("end", ["low", "high"]))
    interval = written(tmp_path, one, uncertainty=ends, uncertainty_of="95 %")
    assert interval[-4] == r"2 & $-12.2$ [$-13.2$, $-11.2$] \\"


def test_the_header_of_a_single_column_can_be_typeset(tmp_path):
    one = Statistic(
        "received", VALUES.isel(head=1, drop=True), "norm, summed", symbol="Σ ‖w‖² ℓ\u0304"
    )
    (header,) = [
        line
        for line in save_tabular(one, tmp_path / "t.tex", provenance={}).read_text().splitlines()
        if line.startswith("lag & ")
    ]
    assert r"$\Sigma$ $\|$w$\|$$^2$ $\bar{\ell}$" in header and "textbackslash" not in header
    assert header.isascii()


@pytest.mark.parametrize("single", [True, False])
def test_what_stands_below_the_line_in_a_symbol_is_mathematics(tmp_path, single):
    values = VALUES.isel(head=1, drop=True) if single else VALUES
    one = Statistic("my_own norm_t", values, "a_b", symbol="‖α W_O V‖ w_t(a) x_long")
    table = save_tabular(one, tmp_path / "t.tex", provenance={}).read_text()
    assert r"my\_own norm\_t $\|$$\alpha$ $W_O$ V$\|$ $w_t$(a) x\_long (a\_b)" in table


def test_what_is_no_table_is_refused(tmp_path):
    large = Statistic("attention", xr.DataArray(np.ones((201, 2)), dims=("time", "lag")), "weight")
    with pytest.raises(ValueError, match=r"201 rows and 2 columns; up to 200 and 40 fit.*--tokens"):
        save_tabular(large, tmp_path / "t.tex", provenance={})
    with pytest.raises(ValueError, match=r"written as \.tex, but t\.txt"):
        save_tabular(large, tmp_path / "t.txt", provenance={})
    assert not list(tmp_path.iterdir())
