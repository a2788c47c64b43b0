"""Training models, resumably, and keeping what came of it."""

try:
    import pytorch_lightning  # noqa: F401  (asked for here to say what is missing)
    import torchmetrics  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Training needs {error.name}, which is not installed: pip install 'attnviz[train]'.",
        name=error.name,
    ) from error

from attnviz.training.recipe import Recipe, Schedule
from attnviz.training.recipe_files import (
    adding_recipe,
    default_recipe,
    read_recipe,
    recipe_for,
    recipe_names,
)
from attnviz.training.run import Run, export_model, open_run, score_test, train
from attnviz.training.scoring import score

__all__ = [
    "Recipe",
    "Run",
    "Schedule",
    "adding_recipe",
    "default_recipe",
    "export_model",
    "open_run",
    "read_recipe",
    "recipe_for",
    "recipe_names",
    "score",
    "score_test",
    "train",
]
