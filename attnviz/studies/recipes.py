"""The recipe of each run of a study, and the sizes at which cells have equally many parameters."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, get_type_hints

from attnviz.models import ModelSettings, build_model
from attnviz.studies.drawing import draw_trials
from attnviz.studies.entries import NONE, fits, kinds_of
from attnviz.studies.jobs import Job
from attnviz.studies.loading import AnyTask
from attnviz.studies.study import Study
from attnviz.tasks import GeneratedTask, LabelledTask, TextTask
from attnviz.training import Recipe
from attnviz.training.recipe import recipe_from_json

__all__ = ["count_parameters", "equal_parameters", "recipe_of"]

_MODEL, _OPTIONS = "model.", "model.options."
LARGEST = 1 << 14  # units


def recipe_of(study: Study, job: Job, values: Mapping[str, Any], task: AnyTask) -> Recipe:
    """What a run of a study trains.

    Arguments:
        study: With what all runs share.
        job: Which run.
        values: What its trial drew, or what was chosen.
        task: Decides the model's inputs, outputs and head.

    Returns:
        The recipe.

    Raises:
        ValueError: If recipes have no field of a name in the study, or it does not take the value.
    """
    recipe = _recipe(study, job, values, task)
    if job.size == "parameters" and job.cell != study.sizes.reference:
        reference = Job(study.sizes.reference, job.phase, job.number)
        # Of any trial: `check_study` refuses trials that change how many there are.
        drawn = next(iter(draw_trials(study, reference.cell)), {})
        wanted = count_parameters(_recipe(study, reference, drawn, task).model)
        model = equal_parameters(recipe.model, wanted)
        return dataclasses.replace(recipe, model=model)
    return recipe


def count_parameters(settings: ModelSettings) -> int:
    """Numbers that are trained in a model with these settings, if none is kept frozen."""
    return sum(weights.numel() for weights in build_model(settings).parameters())


def equal_parameters(settings: ModelSettings, wanted: int) -> ModelSettings:
    """Settings of the hidden size whose number of parameters is nearest to one that is wanted.

    Sizes that the cell refuses, as LARNN does where its heads do not divide them, are passed over.

    Arguments:
        settings: Of any hidden size.
        wanted: Parameters; the smaller size of two that are equally near.

    Returns:
        The settings with that size.

    Raises:
        ValueError: If no size can be built.
    """
    low, high = 0, 1  # low has fewer, high as many or more
    while _counted(settings, high)[1] < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _counted(settings, middle)[1] < wanted else (low, middle)
    above = _counted(settings, high)
    # Between low and the size above it there may be sizes that are refused, but none with more.
    below = next((found for size in range(low, 0, -1) if (found := _built(settings, size))), above)
    size, _ = min((below, above), key=lambda one: (abs(one[1] - wanted), one[0]))
    return dataclasses.replace(settings, hidden_size=size)


def _counted(settings: ModelSettings, size: int) -> tuple[int, int]:
    """The first size from a given one on that can be built, and its number of parameters."""
    for bigger in range(size, min(2 * size + 64, LARGEST)):
        if found := _built(settings, bigger):
            return found
    raise ValueError(f"No hidden size from {size} on fits {settings}.")


def _built(settings: ModelSettings, size: int) -> tuple[int, int] | None:
    try:
        return size, count_parameters(dataclasses.replace(settings, hidden_size=size))
    except ValueError:
        return None


def _recipe(study: Study, job: Job, values: Mapping[str, Any], task: AnyTask) -> Recipe:
    phase = study.trials if job.phase == "trial" else study.final
    seed = study.trials.training_seed(job.number) if job.phase == "trial" else job.number
    given = {**study.fields(job.cell, phase), **values}
    fields = {**given, "model.cell": study.kind(job.cell), "seed": seed, **_fitting(task, given)}
    _check_fields(study, given)
    nested: dict[str, Any] = {"model": {"options": {}}}
    for name, said in fields.items():
        value = None if said == NONE and not name.startswith(_OPTIONS) else said
        if name.startswith(_OPTIONS):
            nested["model"]["options"][name.removeprefix(_OPTIONS)] = value
        elif name.startswith(_MODEL):
            nested["model"][name.removeprefix(_MODEL)] = value
        else:
            nested[name] = value
    try:
        return recipe_from_json(json.dumps(nested))
    except ValueError as error:
        raise ValueError(f"{study.name}, {job.name}: {error}") from error


def _fitting(task: AnyTask, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the task decides of a recipe."""
    if isinstance(task, GeneratedTask):
        head, outputs, features = "regression", len(task.outputs), task.features
        return _of_numbers(head, outputs, features)
    if isinstance(task, LabelledTask):
        return _of_numbers("classification", len(task.classes), task.feature_count)
    if isinstance(task, TextTask):
        return {"model.head": "classification", "model.outputs": len(task.classes)}
    words = len(task.words)
    return {
        "model.head": "language_model", "model.outputs": words, "model.vocabulary_size": words,
        "limit": given.get("limit"),
    }  # fmt: skip


def _of_numbers(head: str, outputs: int, features: int) -> dict[str, Any]:
    return {
        "model.head": head, "model.outputs": outputs, "model.input_size": features, "limit": None
    }  # fmt: skip


def _check_fields(study: Study, given: Mapping[str, Any]) -> None:
    """Refuses names that recipes do not have, and values of another type."""
    known = {name: hint for name, hint in get_type_hints(Recipe).items() if name != "model"}
    model = {_MODEL + name: hint for name, hint in get_type_hints(ModelSettings).items()}
    known |= model
    decided = {"seed", "model", "model.cell", "model.head", "model.outputs", "model.options"}
    if said := sorted({*given} & decided):
        raise ValueError(f"{study.name}: {', '.join(said)} is not for [recipe] to say.")
    for name, value in given.items():
        if name.startswith(_OPTIONS):
            continue  # the cell says whether it has it
        if name not in known:
            raise ValueError(
                f"{study.name}: recipes have no field {name}. They have "
                f"{', '.join(sorted({*known} - decided))} and, as model.options.NAME, the options "
                "of cells."
            )
        if not fits(value, known[name]):
            raise ValueError(
                f"{study.name}: {name} has to be {kinds_of(known[name])}, got {value!r}."
            )
