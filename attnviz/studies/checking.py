"""What of a study can be known to be wrong before anything is trained."""

from attnviz.models import build_model
from attnviz.studies.drawing import draw_trials
from attnviz.studies.jobs import Job
from attnviz.studies.loading import AnyTask
from attnviz.studies.published import score_to_reach
from attnviz.studies.recipes import count_parameters, recipe_of
from attnviz.studies.study import Study
from attnviz.training.optimising import trained

__all__ = ["check_study"]


def check_study(study: Study, task: AnyTask) -> None:
    """Builds every model of a study's trials, and of its final runs as after the first trial.

    What cannot be run is thus known at once; so is a question of a published number that is not
    known.

    Arguments:
        study: Which.
        task: The one it is on.

    Raises:
        ValueError: If a recipe or a model cannot be made, a question not be answered, or the
            number of parameters that others shall have depends on the trial.
    """
    for question in study.questions:
        if question.claim == "reaches":
            score_to_reach(study.name, *question.cells)
    for cell in study.cells:
        _check_trials(study, cell, task)
        for size in study.sizes.equal:
            job = Job(cell, "final", study.final.seeds[0], study.sizes.run_at(cell, size))
            recipe = recipe_of(study, job, next(iter(draw_trials(study, cell)), {}), task)
            trained(build_model(recipe.model), recipe)


def _check_trials(study: Study, cell: str, task: AnyTask) -> None:
    """Builds the model of each, and refuses a reference of which they differ in size."""
    counts = {
        count_parameters(recipe_of(study, Job(cell, "trial", number), values, task).model)
        for number, values in enumerate(draw_trials(study, cell))
    }
    compared = cell == study.sizes.reference and "parameters" in study.sizes.equal
    if compared and len(counts) > 1:
        raise ValueError(
            f"{study.name}: others shall have as many parameters as {cell}, but its trials have "
            f"{', '.join(f'{count:,}' for count in sorted(counts))}. Search nothing that changes "
            'the reference\'s size, or leave "parameters" out of [sizes].'
        )
