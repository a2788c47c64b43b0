"""Training models, resumably, and keeping what came of it."""

try:
    import pytorch_lightning  # noqa: F401  (asked for here to say what is missing)
    import torchmetrics  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Training needs {error.name}, which is not installed: pip install 'attnviz[train]'.",
        name=error.name,
    ) from error

from attnviz.training.recipe import Recipe, Schedule, adding_recipe, default_recipe, number_recipe
from attnviz.training.run import Run, export_model, open_run, score_test, train
from attnviz.training.scoring import score

__all__ = [
    "Recipe",
    "Run",
    "Schedule",
    "adding_recipe",
    "default_recipe",
    "export_model",
    "number_recipe",
    "open_run",
    "score",
    "score_test",
    "train",
]
