import re
import subprocess
import sys
from pathlib import Path

import pytest

import attnviz

ROOT = Path(__file__).parents[2]


def test_every_public_name_can_be_fetched():
    for name in attnviz.__all__:
        assert getattr(attnviz, name) is not None
    assert sorted(attnviz.__all__) == attnviz.__all__
    assert set(attnviz.__all__) <= set(dir(attnviz))


def test_every_public_name_has_its_line_in_the_readme():
    lines = (ROOT / "attnviz" / "README.md").read_text(encoding="utf-8").splitlines()
    listed = [m[1] for line in lines if (m := re.match(r"- `(\w+)", line))]
    assert sorted(listed) == attnviz.__all__


def test_no_public_name_is_also_a_submodule():
    modules = {path.stem for path in (ROOT / "attnviz").iterdir()}
    assert not modules & set(attnviz.__all__)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(AttributeError, match=r"has no 'recrod'; it has .*record"):
        _ = attnviz.recrod


def test_importing_and_plotting_do_not_import_torch():
    script = (
        "import sys, attnviz, attnviz.analysis, attnviz.plots, attnviz.store, attnviz.tasks\n"
        "attnviz.open_trace, attnviz.plot_heatmap, attnviz.from_arrays\n"
        "heavy = {'torch', 'cells', 'safetensors', 'pytorch_lightning'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
