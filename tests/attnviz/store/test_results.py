import numpy as np
import pytest
import xarray as xr

import attnviz
from attnviz.trace import TraceFormatError
from tests.attnviz.influences import decaying, influence
from tests.attnviz.path_data import paths

MEASURED = {
    "influence": influence(
        [decaying(0.5), decaying(0.9, 2.0)], [7, 5], error=0.1, words=True
    ).assign_coords(id=("sequence", np.array(["a/1", "ß"], dtype=object))),
    "paths": paths(np.arange(1.0, 25.0).reshape(3, 4, 2)),
}


@pytest.mark.parametrize("name", MEASURED)
def test_a_result_comes_back_as_it_was(tmp_path, name):
    result = MEASURED[name]
    path = attnviz.save_result(result, tmp_path / "new" / f"{name}.nc")

    back = attnviz.open_result(path)

    assert back.attrs == result.attrs
    assert set(back.variables) == set(result.variables)
    assert set(back.coords) == set(result.coords)
    for variable, values in result.variables.items():
        assert back[variable].dims == values.dims
        np.testing.assert_array_equal(back[variable].values, values.values)
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]


def test_the_same_result_gives_the_same_bytes(tmp_path):
    first, second = (
        attnviz.save_result(MEASURED["influence"], tmp_path / f"{n}.nc").read_bytes() for n in "ab"
    )
    assert first == second


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not end so"):
        attnviz.save_result(MEASURED["paths"], tmp_path / "paths.csv")
    with pytest.raises(ValueError, match=r"attnviz\.ablate, .*this dataset is not"):
        attnviz.save_result(xr.Dataset({"a": ("x", [1.0])}), tmp_path / "a.nc")
    with pytest.raises(FileNotFoundError, match="no file"):
        attnviz.open_result(tmp_path / "none.nc")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "b.nc", engine="scipy")
    with pytest.raises(TraceFormatError, match="attnviz influence, attnviz path-classes write"):
        attnviz.open_result(tmp_path / "b.nc")
    path = attnviz.save_result(MEASURED["paths"], tmp_path / "paths.nc")
    with pytest.raises(TraceFormatError, match=r"attnviz-effects/1.*attnviz ablate writes"):
        attnviz.open_effects(path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(TraceFormatError, match="no readable netCDF file: it is cut short"):
        attnviz.open_result(path)
