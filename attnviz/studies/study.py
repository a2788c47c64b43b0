"""What a study is: several cells on one task under one protocol, with equal effort for each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

__all__ = [
    "Checks",
    "Final",
    "Question",
    "Score",
    "Size",
    "Sizes",
    "Space",
    "Study",
    "Trials",
]


Score = Literal["accuracy", "loss", "perplexity"]
Size = Literal["hidden", "parameters"]
Claim = Literal["at least", "better", "reaches"]
Values = Mapping[str, Any]  # by the dotted name of a field of a recipe


@dataclass(frozen=True)
class Space:
    """The values that a search draws from: some to choose among, or a range.

    Arguments:
        choice: Each as often as the others, as nearly as the number of trials allows.
        log_uniform: Both ends of a range; one draw in each of as many parts, equally wide in the
            logarithm, as there are trials.
    """

    choice: tuple[Any, ...] = ()
    log_uniform: tuple[float, float] | None = None


@dataclass(frozen=True)
class Trials:
    """The search: as many trials for every cell.

    Arguments:
        count: Settings tried of each cell; 0 where nothing is searched, and the setting is that of
            the file.
        seed: Of the draws and of every trial's training; final runs have other seeds.
        recipe: Fields of the recipe that are other than in the base while searching.
        seeds: Of the trainings in place of that: the first share of the trials has the first, and
            so on. Choices, which are dealt in decks, can thus be tried with every seed.
        folds: Of the task, for validation: each setting is tried on every one of them, and judged
            by its mean. Without them validation is that of the task.
    """

    count: int
    seed: int
    recipe: Values
    seeds: tuple[int, ...] = ()
    folds: tuple[int, ...] = ()

    @property
    def runs(self) -> int:
        """Trainings of each cell: every setting on the first fold, then on the next."""
        return self.count * max(1, len(self.folds))

    def setting(self, trial: int) -> int:
        """Which of the settings a trial tries."""
        return trial % self.count

    def fold(self, trial: int) -> int | None:
        """The fold that a trial is validated on; None for the task's own."""
        return self.folds[trial // self.count] if self.folds else None

    def training_seed(self, trial: int) -> int:
        """The seed that a trial is trained with."""
        if not self.seeds:
            return self.seed
        return self.seeds[self.setting(trial) * len(self.seeds) // self.count]


@dataclass(frozen=True)
class Final:
    """The trainings that are scored on the test split, once each.

    Arguments:
        seeds: One training each, the same seeds for every cell.
        recipe: Fields of the recipe that are other than in the base.
    """

    seeds: tuple[int, ...]
    recipe: Values


@dataclass(frozen=True)
class Sizes:
    """At which sizes cells are compared.

    Arguments:
        equal: Equal hidden size, equal number of parameters, or both.
        reference: The cell whose number of parameters the others come nearest to.
    """

    equal: tuple[Size, ...] = ("hidden",)
    reference: str = "lstm"

    def run_at(self, cell: str, size: Size) -> Size:
        """At which size the run of a cell is kept: the reference has one run for both."""
        return self.equal[0] if cell == self.reference else size


@dataclass(frozen=True)
class Checks:
    """When a task counts as solved: consecutive checks on fresh sequences below the task's bar.

    Arguments:
        every: Iterations between two checks.
        sequences: Fresh ones a check.
        consecutive: Checks in a row that must be below the bar.
        stop: The phases, `trials` and `final`, in which a training ends once solved.
    """

    every: int = 100
    sequences: int = 1000
    consecutive: int = 3
    stop: tuple[str, ...] = ("trials",)


@dataclass(frozen=True)
class Question:
    """What was asked beforehand.

    Arguments:
        text: The question.
        claim: The first cell is `at least` as good as the second, `better`, or `reaches` its
            published number.
        cells: Two; one that `reaches`.
        measure: The score on the test split, or `iterations` until solved.
        margin: What counts as a difference, in units of the score; of iterations a factor.
        size: At equal hidden size or equal parameters.
    """

    text: str
    claim: Claim
    cells: tuple[str, ...]
    measure: Literal["test", "iterations"] = "test"
    margin: float = 0.0
    size: Size = "hidden"


@dataclass(frozen=True)
class Study:
    """A study as its file describes it.

    Arguments:
        name: Of its folders; also of its tables.
        about: A sentence for the reader of its tables.
        task: Its name, by `task.name` of the file, and its options.
        score: What validation selects by and test is scored by.
        cells: In the order of the tables: cells, or names of variants.
        variants: The cell of each variant, a name under which a cell has a recipe of its own.
        base: Fields of every recipe by their dotted names.
        own: Those of single cells.
        search: The space shared by all cells.
        own_search: Those of single cells.
        trials: How the space is searched.
        final: The trainings that count.
        sizes: At which sizes.
        checks: When the task counts as solved; none for tasks without a bar.
        questions: Asked beforehand.
        summary: Whether it has a row in the table of all studies; one that compares settings of
            a cell, not cells, says so.
        text: The file.
    """

    name: str
    about: str
    task: tuple[str, Values]
    score: Score
    cells: tuple[str, ...]
    variants: Mapping[str, str]
    base: Values
    own: Mapping[str, Values]
    search: Mapping[str, Space]
    own_search: Mapping[str, Mapping[str, Space]]
    trials: Trials
    final: Final
    sizes: Sizes
    checks: Checks | None
    questions: tuple[Question, ...]
    summary: bool
    text: str

    @property
    def searched(self) -> tuple[str, ...]:
        """Every field that some cell's trials draw, sorted."""
        own = {name for space in self.own_search.values() for name in space}
        return tuple(sorted({*self.search, *own}))

    def kind(self, cell: str) -> str:
        """The cell behind a name, which may be a variant's."""
        return self.variants.get(cell, cell)

    def space(self, cell: str) -> dict[str, Space]:
        """What the trials of a cell draw."""
        return {**self.search, **self.own_search.get(cell, {})}

    def asked(self) -> frozenset[Question]:
        """What is asked beforehand, however it is worded."""
        return frozenset(replace(question, text="") for question in self.questions)

    def fields(self, cell: str, phase: "Trials | Final") -> dict[str, Any]:
        """The fields of a cell's recipe in a phase, but for what trials draw."""
        return {**self.base, **self.own.get(cell, {}), **phase.recipe}

    def settles(self) -> dict[str, object]:
        """What decides the results of a run: two studies that agree on it can share results.

        Cells and seeds can be added.
        """
        return {
            "task": self.task, "variants": self.variants, "score": self.score,
            "recipe": self.base, "own recipes": self.own,
            "search": self.search, "own search": self.own_search, "trials": self.trials,
            "final recipe": self.final.recipe, "reference": self.sizes.reference,
            "checks": self.checks,
        }  # fmt: skip
