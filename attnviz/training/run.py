"""A run: one training in a folder, from recipe to scored model."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning import Callback

from attnviz.models import ModelSettings, SequenceModel, build_model, load_folder, save_folder
from attnviz.training.arithmetic import computing_products
from attnviz.training.batching import ResumableData
from attnviz.training.fitting import fit
from attnviz.training.history import Row, finished, rank, write_history
from attnviz.training.kinds import Task, data_for
from attnviz.training.module import learner_for
from attnviz.training.optimising import begin_uniformly, freeze
from attnviz.training.recipe import Recipe
from attnviz.training.resume import ExactResume, load_checkpoint
from attnviz.training.scoring import score
from attnviz.training.stopping import StopRequest
from attnviz.training.writing import card_of, claim, described_run, read_described

__all__ = ["Run", "export_model", "open_run", "score_test", "train"]


@dataclass(frozen=True)
class Run:
    """The folder of a training.

    Arguments:
        folder: Holds `recipe.json`, `history.csv`, `checkpoint.ckpt` and, in `model`, the weights
            of the epoch that did best on validation.
        recipe: What was trained.
        history: One row an epoch; epochs count from 1.
    """

    folder: Path
    recipe: Recipe
    history: tuple[Row, ...]

    @property
    def best(self) -> Row:
        """The epoch that the model was chosen from: the first of the best validation score."""
        return max(self.history, key=rank)

    @property
    def has_model(self) -> bool:
        """Whether there was an epoch to choose, which one without a validation score is not."""
        return any(rank(row) > -math.inf for row in self.history)

    def model(self) -> SequenceModel:
        """The chosen model, in eval mode."""
        return load_folder(self.folder / "model")


def train(  # noqa: PLR0913  (whom it tells, and who watches)
    recipe: Recipe,
    task: Task,
    folder: Path | str,
    *,
    checkpoint_every: int = 50,
    progress: Callable[[int, int], None] | None = None,
    report: Callable[[Row], None] | None = None,
    preparing: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Trains a model on a task, or goes on where this run stopped.

    Ctrl-C and SIGTERM stop it after the step at hand, or after the validation at hand, with a
    checkpoint; a second one at once.

    With several devices Lightning starts the calling script once more for each further process;
    what is told is told by the first, and only it writes.

    Arguments:
        recipe: Model, optimiser, seed.
        task: Of any kind, with the split `validation`, and `train` where it is not drawn anew.
        folder: Of the run; made if it is not there.
        checkpoint_every: Steps between two checkpoints.
        progress: Called with steps done and in all.
        report: Called with each epoch's row of the history.
        preparing: Called with texts read and to be read, while their words are counted and
            numbered.
        say: Called with a sentence when the run goes on from a checkpoint, or is asked to stop.
        callbacks: Lightning's, called before the run's own checkpoints are written.

    Returns:
        The finished run.

    Raises:
        TypeError: If the recipe is none, or there is no training on such a task.
        ValueError: If the folder holds a run of another recipe or other data, or the data cannot
            be trained on, or the cell does not take its options. Nothing is written then.
        FloatingPointError: If the loss becomes infinite or NaN, RRA's weights cancel, or no epoch
            can be validated.
    """
    if not isinstance(recipe, Recipe):
        raise TypeError(
            f"train takes a Recipe, which says how a model is built, got {type(recipe).__name__}. "
            "Recipe(ModelSettings('rra', 64, outputs)) is one; a model of a cell of one's own is "
            "trained by a loop of one's own."
        )
    kind = data_for(task)
    kind.check(recipe.model, task)
    build_model(recipe.model)  # an option that the cell refuses is refused before anything is read
    folder = Path(folder)
    described = described_run(folder, recipe, task)
    data = kind(task, recipe, progress=preparing)
    model = _untrained(data)
    claim(folder, described)
    said = say if say is not None else _nothing

    def improved(row: Row) -> None:
        model.card = card_of(recipe, task, row)
        save_folder(model, data.settings, folder / "model", half=False)

    def report_epoch(history: list[Row]) -> None:
        write_history(folder / "history.csv", history)
        if report is not None:
            report(history[-1])

    resume = ExactResume(
        folder / "checkpoint.ckpt",
        data,
        every=checkpoint_every,
        improved=improved,
        report=report_epoch,
        progress=progress,
        scored=partial(_test_scores, model, task, recipe) if recipe.test_every_epoch else None,
        stop=StopRequest(said),
    )
    if finished(resume.history, recipe):
        said("This run is finished: nothing is left to train.")
    else:
        _tell_beginning(resume, said, progress)
        fit(learner_for(model, recipe), data, resume, before=callbacks)
    if rank_zero_only.rank == 0:  # type: ignore[attr-defined]  # set by Lightning
        write_history(folder / "history.csv", resume.history)
    run = Run(folder, recipe, tuple(resume.history))
    if not run.has_model:
        raise FloatingPointError(
            f"Of {len(run.history)} epochs none could be validated: the validation loss is "
            f"{run.best['validation_loss']}. Lower the learning rate or clip harder, in another "
            "folder."
        )
    return run


def open_run(folder: Path | str) -> Run:
    """A run, finished or not.

    Arguments:
        folder: Of the run.

    Returns:
        The run with the epochs it has.

    Raises:
        FileNotFoundError: If the folder holds no run.
        ValueError: If its recipe or its checkpoint is damaged.
    """
    folder = Path(folder)
    path = folder / "recipe.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no run: it has no recipe.json.")
    recipe, _ = read_described(path)
    checkpoint = load_checkpoint(folder / "checkpoint.ckpt")
    return Run(folder, recipe, tuple(checkpoint["history"]) if checkpoint else ())


def score_test(run: Run, task: Task) -> dict[str, float]:
    """Scores a finished run's model on the test split, once, and notes it on its card.

    Arguments:
        run: Whose model to score.
        task: With the split `test`.

    Returns:
        What `score` returns; that of the first time when called again.
    """
    model = run.model()
    if "test" not in model.card:
        model.card["test"] = _exact_score(model, task, run.recipe)
        save_folder(model, _settings_of(model, run.recipe), run.folder / "model", half=False)
    noted: dict[str, float] = model.card["test"]
    return noted


def export_model(
    run: Run, folder: Path | str, *, name: str | None = None, says: Mapping[str, Any] | None = None
) -> None:
    """Writes a run's chosen model with float16 weights, half the size, to a folder of its own.

    Arguments:
        run: With at least one epoch.
        folder: Where `attnviz.load_model` finds it.
        name: What the model is called there; as it is if not given.
        says: What its card shall say besides, or in place of what it says.
    """
    model = run.model()
    model.name = name or model.name
    model.card = {**model.card, **(says or {}), "weights": "float16"}
    save_folder(model, _settings_of(model, run.recipe), Path(folder), half=True)


def _untrained(data: ResumableData[Any]) -> SequenceModel:
    """The model as training begins with it, told what it reads."""
    recipe = data.recipe
    torch.manual_seed(recipe.seed)
    model = build_model(data.settings)
    if recipe.initial_range is not None:
        begin_uniformly(model, recipe.initial_range)
    model.name = f"{recipe.model.cell}-{data.task.name}"
    data.introduce(model)
    freeze(model, recipe)
    return model


def _test_scores(model: SequenceModel, task: Task, recipe: Recipe) -> Row:
    """What an epoch's row tells of the test split."""
    scores = _exact_score(model, task, recipe)
    return {f"test_{name}": value for name, value in scores.items()}


def _exact_score(model: SequenceModel, task: Task, recipe: Recipe) -> dict[str, float]:
    """The scores on the test split, whatever precision training or the process has products in."""
    with computing_products("highest"):
        return score(model, task, "test", recipe)


def _tell_beginning(
    resume: ExactResume,
    said: Callable[[str], None],
    progress: Callable[[int, int], None] | None,
) -> None:
    if resume.step:
        said(f"Resuming at step {resume.step:,} of {resume.steps:,}.")
    if progress is not None:
        progress(resume.step, resume.steps)


def _settings_of(model: SequenceModel, recipe: Recipe) -> ModelSettings:
    """What a run's model was built from."""
    if model.vocabulary is None:
        return recipe.model
    return replace(recipe.model, vocabulary_size=len(model.vocabulary))


def _nothing(message: str) -> None:
    """Where nobody is to be told."""
