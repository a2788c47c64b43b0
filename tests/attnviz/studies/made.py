"""Records made up, so that what becomes of them can be computed by hand."""

from attnviz.studies import Job, Record, parse_study
from attnviz.studies.records import Reached, record_to_json
from attnviz.studies.results import RESULT

TEXT = """
cells = ["rra", "lstm", "rau"]
score = "{score}"
task.name = "x"
trials.count = 2
final.seeds = [0, 1, 2, 3]
"""


def study(score="accuracy", more="", name="made"):
    return parse_study(TEXT.format(score=score) + more, name=name, where="made.toml")


def record(cell, number, test, *, phase="final", size="hidden", **changes):
    reached = changes.pop("reached", None)
    fields = {
        "values": {"learning_rate": 0.01}, "status": "finished", "hidden_size": 8,
        "parameters": 1234, "validation": 0.5, "validation_loss": 0.7, "test": test, "epoch": 2,
        "epochs": 3, "seconds": 6.5, "epoch_seconds": 2.0, **changes,
    }  # fmt: skip
    until = None if reached is None else Reached.read(reached)
    return Record(job=Job(cell, phase, number, size), reached=until, **fields)


def finals(cell, tests, **changes):
    return [record(cell, seed, test, **changes) for seed, test in enumerate(tests)]


def run_folders(place, records):
    """The folders of runs of which these came out; where they are."""
    for one in records:
        folder = place / "runs" / one.job.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULT).write_text(record_to_json(one))
    return place / "runs"
