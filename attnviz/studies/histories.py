"""The epochs of a study's runs: which one is chosen, and which one the test split would choose."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from attnviz.studies.records import Record
from attnviz.studies.results import read_results

__all__ = ["Epochs", "curve_of", "epochs_of", "read_history"]

Row = Mapping[str, float]


@dataclass(frozen=True)
class Epochs:
    """Three epochs of a training that was scored on the test split after each, from 1.

    Arguments:
        chosen: The first of the best validation score: the honest choice.
        final: The last.
        best_on_test: The first of the best test score, which is what must not be reported.
    """

    chosen: int
    final: int
    best_on_test: int


def curve_of(folder: Path, record: Record, records: Iterable[Record]) -> Path | None:
    """The file with the curve of a run.

    Where equal parameters come to the same hidden size, one training is the run at both sizes. Its
    curve is kept once, at equal hidden size.

    Arguments:
        folder: `histories` or `checks` of the results.
        record: What came out of the run.
        records: What came out of the study's other runs.

    Returns:
        The file; None if there is none, as of a run that diverged in its first epoch.
    """
    twin = replace(record.job, size="hidden")
    trained = (record.values, record.hidden_size)
    same = [one for one in records if (one.job, (one.values, one.hidden_size)) == (twin, trained)]
    paths = [folder / f"{one.job.name}.csv" for one in (record, *same)]
    return next((path for path in paths if path.is_file()), None)


def read_history(folder: Path, record: Record) -> list[dict[str, float]]:
    """The epochs of a run.

    Arguments:
        folder: The results of its study.
        record: What came out of it.

    Returns:
        What each epoch scored, by the names of the columns; in their order.

    Raises:
        FileNotFoundError: If the results have no history of that run.
        ValueError: If the file holds what is no number, or the results are damaged.
    """
    name = record.job.name
    path = curve_of(folder / "histories", record, read_results(folder))
    if path is None:
        raise FileNotFoundError(f"{folder} has no history of {name}: no {name}.csv.")
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return [
                {name: float(text) for name, text in row.items()} for row in csv.DictReader(file)
            ]
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}.") from error


def epochs_of(history: Sequence[Row], score: str = "accuracy") -> Epochs:
    """Which epoch is chosen on validation, is the last, and would be chosen on the test split.

    Arguments:
        history: The epochs in their order.
        score: `accuracy`, of which more is better; of `loss` and `perplexity` it is less.

    Returns:
        The three, counted from 1; the first of several that are equally good.

    Raises:
        ValueError: If there is no epoch, or none was scored on the test split.
    """
    if not history:
        raise ValueError("A training without an epoch has none to choose from.")
    if missing := {f"validation_{score}", f"test_{score}"} - {*history[0]}:
        raise ValueError(
            f"The history has no {', '.join(sorted(missing))}, but {', '.join(history[0])}. The "
            "test split is scored every epoch where the recipe says test_every_epoch = true."
        )
    sign = 1 if score == "accuracy" else -1

    def best(split: str) -> int:
        values = [sign * row[f"{split}_{score}"] for row in history]
        return values.index(max(values)) + 1

    return Epochs(best("validation"), len(history), best("test"))
