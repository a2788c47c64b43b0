import functools
import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import attnviz
import attnviz.analysis
import attnviz.studies
from attnviz.studies.loading import AnyTask
from attnviz.tasks import load_har, load_imdb, load_mnist
from attnviz.training import score
from attnviz.training.recipe import recipe_from_json

ROOT = Path(__file__).parents[2]
CELLS = ("rra", "larnn", "rau", "lstm", "gru")


class Shipped(NamedTuple):
    """What holds of every shipped model of a task."""

    bytes: float  # at most
    accuracy: float  # at least
    command: str
    author: str  # of the data
    load: Callable[[], AnyTask]


SHIPPED = {
    "imdb": Shipped(
        1.5e6, 0.87, "attnviz study run notebooks/results/imdb.toml --cell {cell}", "Maas",
        load_imdb,
    ),
    "row-mnist": Shipped(
        0.5e6, 0.977, "attnviz study run notebooks/results/row-mnist.toml --cell {cell}", "LeCun",
        functools.partial(load_mnist, "row"),
    ),
    "har": Shipped(
        0.2e6, 0.88, "attnviz study run notebooks/results/har.toml --cell {cell}", "Anguita",
        load_har,
    ),
}  # fmt: skip


def listed(section):
    """The names that a section of the package's README has a line for."""
    text = (ROOT / "attnviz" / "README.md").read_text(encoding="utf-8")
    _, _, rest = text.partition(f"\n## {section}\n")
    lines = re.findall(r"^- ((?:`\w+`\*?(?:, )?)+)", rest.partition("\n## ")[0], re.MULTILINE)
    return [name for line in lines for name in re.findall(r"`(\w+)`", line)]


def test_every_public_name_can_be_fetched():
    for name in attnviz.__all__:
        assert getattr(attnviz, name) is not None
    assert sorted(attnviz.__all__) == attnviz.__all__
    assert set(attnviz.__all__) <= set(dir(attnviz))


def test_every_public_name_has_its_line_in_the_readme():
    assert sorted(listed("Public names")) == attnviz.__all__


def test_every_statistic_has_its_line_in_the_readme():
    assert sorted(listed("Statistics")) == sorted(attnviz.analysis.__all__)
    for name in attnviz.analysis.__all__:
        assert getattr(attnviz.analysis, name) is not None


@pytest.mark.parametrize(
    "module", ["ablation", "attention", "contribution", "decay", "features", "flow", "gates"]
)
def test_every_statistic_of_a_module_is_exported(module):
    held = importlib.import_module(f"attnviz.analysis.{module}")
    functions = [name for name in held.__all__ if inspect.isfunction(getattr(held, name))]
    assert functions and set(functions) <= set(attnviz.analysis.__all__)


def test_every_name_of_studies_has_its_line_in_the_readme():
    assert sorted(listed("Studies")) == attnviz.studies.__all__


@pytest.mark.parametrize(
    ("section", "package"),
    [
        ("Figures: style, width, file", "plots"),
        ("Data sets", "tasks"),
        ("Training", "training"),
        ("The store", "store"),
    ],
)
def test_every_further_name_of_a_package_has_its_line_in_the_readme(section, package):
    held = importlib.import_module(f"attnviz.{package}")
    assert sorted(listed(section)) == sorted(set(held.__all__) - set(attnviz.__all__))
    for name in held.__all__:
        assert getattr(held, name) is not None


def test_the_readmes_study_can_be_read():
    text = (ROOT / "attnviz" / "README.md").read_text(encoding="utf-8")
    shown = text.partition("\n## Studies\n")[2].partition("```toml\n")[2].partition("```")[0]
    study = attnviz.studies.parse_study(shown, name="shown", where="README.md")
    assert study.trials.count == 6 and len(study.questions) == 1


def test_no_public_name_is_also_a_submodule():
    modules = {path.stem for path in (ROOT / "attnviz").iterdir()}
    assert not modules & set(attnviz.__all__)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(AttributeError, match=r"has no 'recrod'; it has .*record"):
        _ = attnviz.recrod


def test_importing_and_plotting_import_neither_torch_nor_what_is_slow():
    script = (
        "import sys, attnviz, attnviz.analysis, attnviz.plots, attnviz.store, attnviz.tasks\n"
        "attnviz.open_trace, attnviz.plot_heatmap, attnviz.from_arrays\n"
        "heavy = {'torch', 'cells', 'safetensors', 'pytorch_lightning', 'scipy.stats'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


@pytest.mark.slow
def test_the_wheel_holds_all_that_the_demo_needs(tmp_path):
    source = tmp_path / "source"
    names = ("pyproject.toml", "README.md", "LICENSE", "attnviz", "cells")
    for name in names:  # a copy: building leaves folders behind
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(path, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    subprocess.run([*command, source], check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for cell in CELLS:
        for name in ("model.json", "model.safetensors", "vocabulary.txt"):
            assert f"attnviz/pretrained/{cell}-imdb/{name}" in held
    for model in attnviz.shipped_models():
        assert {
            f"attnviz/pretrained/{model}/model.{kind}" for kind in ("json", "safetensors")
        } < held
    for name in (
        "attnviz/papers.bib",
        "attnviz/pretrained/sentences.toml",
        "attnviz/plots/notebook.mplstyle",
        "attnviz/plots/paper.mplstyle",
        "attnviz/plots/slides.mplstyle",
        "attnviz/py.typed",
        "attnviz/training/recipes/har.toml",
        "cells/py.typed",
        "cells/larnn.py",
    ):
        assert name in held
    assert not [name for name in held if name.startswith("tests")]


@pytest.mark.parametrize("name", attnviz.shipped_models())
def test_shipped_models_are_small_good_enough_and_say_where_they_come_from(name):
    model = attnviz.load_model(name)
    cell, _, task = name.partition("-")
    known = SHIPPED[task]

    folder = ROOT / "attnviz" / "pretrained" / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < known.bytes
    card = model.card
    assert model.name == name and card["task"] == task
    assert card["recipe"]["model"]["cell"] == cell and isinstance(card["recipe"]["seed"], int)
    assert card["validation"]["accuracy"] >= known.accuracy
    assert card["test"]["accuracy"] >= known.accuracy
    assert card["command"].startswith(known.command.format(cell=cell))
    assert card["data"]["source"].startswith("https://") and known.author in card["data"]["terms"]
    assert card["weights"] == "float16" and "MIT" in card["licence"]
    # On what it was not tried, how it was chosen, and what its scores are of.
    assert f"Trained, chosen and scored on {task} alone" in card["limits"][0]
    assert len(card["limits"]) >= 4 and all(said.endswith(".") for said in card["limits"])
    assert not re.search(r"(?<![:/\w])/\w", json.dumps(card))  # no path of whoever trained it


def test_shipped_models_are_of_every_cell_and_together_no_burden():
    for task in SHIPPED:
        assert {name.partition("-")[0] for name in attnviz.shipped_models(task)} == {*CELLS}
    assert len(attnviz.shipped_models()) == len(SHIPPED) * len(CELLS)  # of no other task
    held = (ROOT / "attnviz" / "pretrained").rglob("*")
    assert sum(path.stat().st_size for path in held if path.is_file()) < 9e6


@functools.cache
def loaded(task):
    return SHIPPED[task].load()


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", attnviz.shipped_models())
def test_shipped_models_score_what_their_cards_say(name):
    if "ATTNVIZ_DATA" not in os.environ:
        pytest.skip("needs the data sets: set ATTNVIZ_DATA to the folder that holds them")
    model = attnviz.load_model(name)
    recipe = recipe_from_json(json.dumps(model.card["recipe"]))

    found = score(model, loaded(model.card["task"]), "validation", recipe)

    # Weights are rounded to float16: a sequence on the border may fall to the other side.
    assert found["accuracy"] == pytest.approx(model.card["validation"]["accuracy"], abs=2e-3)


def test_a_file_that_hides_the_package_of_cells_is_named(tmp_path):
    script = tmp_path / "own.py"
    script.write_text("import attnviz")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    asked = [sys.executable, "-W", "error", str(script)]
    subprocess.run(asked, check=True, env=environment)

    package = tmp_path / "cells"
    package.mkdir()
    subprocess.run(asked, check=True, env=environment)  # a mere folder hides nothing
    (package / "__init__.py").touch()
    (package / "recurrent.py").touch()
    for hiding in (package / "__init__.py", tmp_path / "cells.py"):
        found = subprocess.run(asked, capture_output=True, text=True, env=environment)
        assert found.returncode == 1
        assert f"but Python finds {hiding}: no model" in found.stderr
        assert "Rename what hides it." in found.stderr
        shutil.rmtree(package, ignore_errors=True)
        (tmp_path / "cells.py").touch()

    script.write_text("import sys, types; sys.modules['cells'] = types.ModuleType('cells')\n"
                      "import attnviz")  # fmt: skip
    subprocess.run(asked, check=True, env=environment)
