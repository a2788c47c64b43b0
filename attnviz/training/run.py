"""A run: one training in a folder, from recipe to scored model."""

import csv
import importlib.metadata
import json
import logging
import platform
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning import Callback, Trainer

from attnviz.files import replacing
from attnviz.models import (
    ModelSettings,
    Reading,
    SequenceModel,
    build_model,
    load_folder,
    save_folder,
)
from attnviz.tasks import GeneratedTask, TextTask
from attnviz.training.data import ResumableData, TextData
from attnviz.training.generated import GeneratedData
from attnviz.training.module import Learner, Row, learner_for, rank
from attnviz.training.recipe import Recipe, recipe_from_json
from attnviz.training.resume import ExactResume, load_checkpoint
from attnviz.training.scoring import score
from attnviz.training.stopping import StopRequest

__all__ = ["Run", "export_model", "open_run", "score_test", "train"]

Task = TextTask | GeneratedTask


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

    def model(self) -> SequenceModel:
        """The chosen model, in eval mode."""
        return load_folder(self.folder / "model")


def train(  # noqa: PLR0913  (whom it tells, and of what)
    recipe: Recipe,
    task: Task,
    folder: Path,
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

    Arguments:
        recipe: Model, optimiser, seed.
        task: Texts to tell apart, with the splits `train` and `validation`, or numbers to predict.
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
        ValueError: If the folder holds a run of another recipe or other data, or the data cannot
            be trained on, or the cell does not take its options. Nothing is written then.
        FloatingPointError: If the loss becomes infinite or NaN.
    """
    _check_fit(recipe.model, task)
    described = _described(folder, recipe, task)
    build_model(recipe.model)  # an option that the cell refuses is refused before words are read
    data = (
        GeneratedData(task, recipe)
        if isinstance(task, GeneratedTask)
        else TextData(task, recipe, progress=preparing)
    )
    settings = recipe.model
    if isinstance(data, TextData):
        settings = replace(settings, vocabulary_size=len(data.vocabulary))
    torch.manual_seed(recipe.seed)
    model = _named_model(settings, recipe, task, data)
    _claim(folder, described)

    def improved(row: Row) -> None:
        model.card = _card(recipe, task, row)
        save_folder(model, settings, folder / "model", half=False)

    def report_epoch(history: list[Row]) -> None:
        _write_history(folder / "history.csv", history)
        if report is not None:
            report(history[-1])

    said = say if say is not None else _nothing
    resume = ExactResume(
        folder / "checkpoint.ckpt",
        data,
        every=checkpoint_every,
        improved=improved,
        report=report_epoch,
        progress=progress,
        stop=StopRequest(said),
    )
    if (left := recipe.epochs - data.epoch) <= 0:
        said("This run is finished: nothing is left to train.")
    else:
        if resume.step:
            said(f"Resuming at step {resume.step:,} of {resume.steps:,}.")
        if progress is not None:
            progress(resume.step, resume.steps)
        _fit(learner_for(model, recipe), data, resume, epochs=left, before=callbacks)
    _write_history(folder / "history.csv", resume.history)
    return Run(folder, recipe, tuple(resume.history))


def _fit(
    learner: Learner,
    data: ResumableData,
    resume: ExactResume,
    *,
    epochs: int,
    before: Sequence[Callback],
) -> None:
    """Trains, and passes on what stops it."""
    try:
        with resume.stop.restoring(), _quiet_lightning():
            _trainer(data.recipe, epochs, [*before, resume]).fit(learner, data)
    except (SystemExit, KeyboardInterrupt):  # Lightning makes the first of the second
        if not resume.interrupted:
            raise
        resume.stop.obey()


def open_run(folder: Path) -> Run:
    """A run, finished or not.

    Arguments:
        folder: Of the run.

    Returns:
        The run with the epochs it has.

    Raises:
        FileNotFoundError: If the folder holds no run.
    """
    path = folder / "recipe.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no run: it has no recipe.json.")
    recipe = recipe_from_json(json.dumps(json.loads(path.read_text("utf-8"))["recipe"]))
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
        model.card["test"] = score(model, task, "test", run.recipe)
        save_folder(model, _settings_of(model, run.recipe), run.folder / "model", half=False)
    noted: dict[str, float] = model.card["test"]
    return noted


def export_model(run: Run, folder: Path) -> None:
    """Writes a run's chosen model with float16 weights, half the size, to a folder of its own.

    Arguments:
        run: With at least one epoch.
        folder: Where `attnviz.load_model` finds it.
    """
    model = run.model()
    model.card["weights"] = "float16"
    save_folder(model, _settings_of(model, run.recipe), folder, half=True)


def _check_fit(settings: ModelSettings, task: Task) -> None:
    """Refuses a model that is not for the task."""
    if isinstance(task, GeneratedTask):
        asked = (settings.head, settings.input_size, settings.outputs, settings.vocabulary_size)
        needed = ("regression", task.features, len(task.outputs), None)
        if asked != needed:
            raise ValueError(
                f"{task.name} needs a model with head, input_size, outputs and vocabulary_size "
                f"{needed}, but the recipe has {asked}."
            )
    elif settings.head != "classification":
        raise ValueError(
            f"{task.name} tells classes apart, but the recipe's head is {settings.head!r}. "
            "default_recipe makes one that does."
        )
    elif settings.outputs != len(task.classes):
        raise ValueError(
            f"The recipe tells {settings.outputs} classes apart, but the task has "
            f"{len(task.classes)}: {list(task.classes)}."
        )


def _named_model(
    settings: ModelSettings, recipe: Recipe, task: Task, data: ResumableData
) -> SequenceModel:
    """A new model that knows what it reads."""
    model = build_model(settings)
    model.name = f"{settings.cell}-{task.name}"
    model.classes = task.outputs if isinstance(task, GeneratedTask) else task.classes
    if isinstance(data, TextData):
        model.vocabulary, model.reading = data.vocabulary, Reading(recipe.limit, recipe.keep)
    return model


def _settings_of(model: SequenceModel, recipe: Recipe) -> ModelSettings:
    """What a run's model was built from."""
    if model.vocabulary is None:
        return recipe.model
    return replace(recipe.model, vocabulary_size=len(model.vocabulary))


def _nothing(message: str) -> None:
    """Where nobody is to be told."""


def _described(folder: Path, recipe: Recipe, task: Task) -> str:
    """What a run says of itself; refuses a folder that holds another one."""
    path = folder / "recipe.json"
    described = {"recipe": asdict(recipe), "data": dict(task.provenance)}
    if path.exists():
        found = json.loads(path.read_text("utf-8"))
        if found != json.loads(json.dumps(described)):
            raise ValueError(
                f"{folder} holds a run with another recipe or other data: "
                f"{_first_difference(found, described)}. Give this run another folder (--run "
                f"FOLDER), or delete {folder} if it is not needed any more."
            )
    return json.dumps(described, indent=2, sort_keys=True) + "\n"


def _claim(folder: Path, described: str) -> None:
    """Writes the recipe of a new run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.json"
    if not path.exists():
        with replacing(path) as beside:
            beside.write_text(described, encoding="utf-8")


def _first_difference(found: Any, asked: Any, name: str = "") -> str:  # noqa: ANN401  (JSON)
    if isinstance(found, dict) and isinstance(asked, dict):
        for key in sorted({*found, *asked}):
            if found.get(key) != asked.get(key):
                inner = f"{name}.{key}" if name else str(key)
                return _first_difference(found.get(key), asked.get(key), inner)
    return f"{name} is {found!r} there and {asked!r} here"


def _card(recipe: Recipe, task: Task, row: Row) -> dict[str, Any]:
    packages = ("attnviz", "torch", "pytorch-lightning", "numpy")
    return {
        "task": task.name,
        "data": dict(task.provenance),
        "recipe": asdict(recipe),
        "settings": dict(recipe.model.options),
        "chosen_epoch": row["epoch"],
        "validation": {
            name: row[f"validation_{name}"]
            for name in ("accuracy", "loss")
            if f"validation_{name}" in row
        },
        "command": shlex.join(["attnviz", *sys.argv[1:]]),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
    }


def _write_history(path: Path, history: list[Row]) -> None:
    if not history:
        return
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _trainer(recipe: Recipe, epochs: int, callbacks: list[Callback]) -> Trainer:
    return Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=1,
        max_epochs=epochs,
        gradient_clip_val=recipe.clip,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Without advice on workers and hardware, which does not apply to batches made in memory."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            warnings.filterwarnings("ignore", "`isinstance", FutureWarning)  # its own use of torch
            yield
    finally:
        logger.setLevel(level)
