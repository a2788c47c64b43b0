"""The compact results of a study: tables from which everything reported is rebuilt."""

import csv
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attnviz.files import replacing
from attnviz.studies.jobs import Job
from attnviz.studies.reading import read_study
from attnviz.studies.records import Reached, Record, record_from_json, record_to_json
from attnviz.studies.study import Study

__all__ = [
    "gather",
    "keep_digest",
    "open_results",
    "open_studies",
    "read_results",
    "update_results",
]

STUDY, TRIALS, FINALS, DIGEST = "study.toml", "trials.csv", "finals.csv", "data.md5"
RESULT = "result.json"
CURVES = {"histories": "history.csv", "checks": "checks.csv"}  # folder of results: file of a run

_MEASURED = (
    "status", "hidden_size", "parameters", "validation", "validation_loss", "test", "epoch",
    "epochs", "seconds", "epoch_seconds", "reached",
)  # fmt: skip
_WHOLE = ("hidden_size", "parameters", "epoch", "epochs")


def open_results(folder: Path) -> tuple[Study, list[Record]]:
    """A study that was run, and what came out.

    Arguments:
        folder: Its results.

    Returns:
        The study as it ran, and its finished runs, sorted.

    Raises:
        FileNotFoundError: If the folder holds no results.
        ValueError: If a file is damaged.
    """
    path = folder / STUDY
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no results of a study: it has no {STUDY}.")
    return read_study(path, name=folder.name), read_results(folder)


def open_studies(folder: Path) -> list[tuple[Study, list[Record]]]:
    """All studies of a folder, sorted by name, and what came out of each; nothing if not begun.

    Arguments:
        folder: Holds study files, and for each that was begun a folder of results called alike.

    Returns:
        Each study, as it ran if it did, and its finished runs.

    Raises:
        FileNotFoundError: If there is no study in it.
        ValueError: If a file is damaged.
    """
    names = {path.stem for path in folder.glob("*.toml")}
    names |= {path.parent.name for path in folder.glob(f"*/{STUDY}")}
    if not names:
        raise FileNotFoundError(f"{folder} holds neither a study nor results of one.")
    return [
        open_results(folder / name)
        if (folder / name / STUDY).is_file()
        else (_described(folder / f"{name}.toml"), [])
        for name in sorted(names, key=_natural)
    ]


def _described(path: Path) -> Study:
    try:
        return read_study(path)
    except ValueError as error:
        raise ValueError(f"{error} If {path} is no study, keep it in another folder.") from error


def _natural(name: str) -> tuple[str, int]:
    """adding-100 before adding-1000."""
    stem, _, number = name.rpartition("-")
    return (stem, int(number)) if number.isdigit() else (name, -1)


def read_results(folder: Path) -> list[Record]:
    """The runs that a results folder tells of; none where there is no folder.

    Raises:
        ValueError: If a table is damaged.
    """
    records = []
    for name, read in ((TRIALS, _read_trial), (FINALS, _read_final)):
        path = folder / name
        if not path.is_file():
            continue
        records += _read_table(path, read)
    return records


def _read_table(path: Path, read: Callable[[Mapping[str, str]], Record]) -> list[Record]:
    records: list[Record] = []
    row: Mapping[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if "cell" not in (rows.fieldnames or ()):
                raise ValueError("there is no column `cell`")
            for row in rows:
                records.append(read(row))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{path}: the row {row} cannot be read: {error}.") from error
    return records


def gather(runs: Path, results: Path) -> dict[Job, Record]:
    """Everything that is finished: what the runs tell, and what results tell of runs elsewhere.

    Arguments:
        runs: The study's folder of runs.
        results: Its folder of results.

    Returns:
        Records by run.

    Raises:
        ValueError: If a file is damaged.
    """
    found = {record.job: record for record in read_results(results)}
    for path in sorted(runs.glob(f"*/{RESULT}")):
        try:
            record = record_from_json(path.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(
                f"{path} is damaged. Delete it and run the study again: what was trained is kept, "
                f"and only its result is found anew. {error}"
            ) from error
        found[record.job] = record
    return found


def update_results(study: Study, runs: Path, results: Path) -> None:
    """Brings a results folder up to everything that is finished.

    Any number of processes may do so at once: whoever writes looks again afterwards, so that the
    last to write has seen what all others finished before.

    Arguments:
        study: Which.
        runs: Its folder of runs.
        results: Its folder of results; made if it is not there.

    Raises:
        ValueError: If the folder holds results of a study that differs in what decides results,
            or final runs of one that asked something else.
    """
    _check_same(study, results)
    results.mkdir(parents=True, exist_ok=True)
    _write_text(results / STUDY, study.text)
    written: dict[Job, str] | None = None
    while (texts := _texts(found := gather(runs, results))) != written:
        _write(study, results, found.values())
        written = texts
    for job in written:
        for kind, file in CURVES.items():
            _copy_new(runs / job.name / "run" / file, results / kind / f"{job.name}.csv")


def keep_digest(digest: str, results: Path) -> None:
    """Notes which file a study runs on; published data sets are verified wherever they are read.

    Arguments:
        digest: Of the file.
        results: The study's folder of results; made if it is not there.

    Raises:
        ValueError: If results are there of another file, or of one that was changed.
    """
    path = results / DIGEST
    found = path.read_text("utf-8").strip() if path.is_file() else ""
    if found not in ("", digest):
        raise ValueError(
            f"{results} holds results of other data: its file had the MD5 digest {found}, this one "
            f"has {digest}. Put the file back, or give these results another folder."
        )
    results.mkdir(parents=True, exist_ok=True)
    _write_text(path, f"{digest}\n")


def _texts(found: Mapping[Job, Record]) -> dict[Job, str]:
    """To compare by: NaN is not equal to itself, its text is."""
    return {job: record_to_json(record) for job, record in found.items()}


def _check_same(study: Study, results: Path) -> None:
    if not (results / STUDY).is_file():
        return
    before, records = open_results(results)
    there = before.settles()
    final = any(one.job.phase == "final" for one in records)
    different = [key for key, here in study.settles().items() if there[key] != here]
    if not final and "final recipe" in different:
        different.remove("final recipe")  # it has decided nothing yet
    if different:
        raise ValueError(
            f"{results} holds results of another study {study.name}: {', '.join(different)} "
            "differ. Give these results another folder, or the study another name."
        )
    if final and before.asked() != study.asked():
        raise ValueError(
            f"{results} holds final runs of {study.name}, but its questions were others then, and "
            "they are asked beforehand: cells, claims, measures, sizes and margins stay. Take them "
            f"from {results / STUDY}, or ask in a study of another name."
        )


def _write(study: Study, results: Path, records: Iterable[Record]) -> None:
    ordered = sorted(records, key=lambda one: (one.job.cell, one.job.size, one.job.number))
    trials = [_trial_row(study, one) for one in ordered if one.job.phase == "trial"]
    finals = [_final_row(one) for one in ordered if one.job.phase == "final"]
    measured = [name for name in _MEASURED if name != "test"]
    told = ["cell", "trial", *["fold"] * bool(study.trials.folds), *study.searched]
    _write_table(results / TRIALS, [*told, *measured], trials)
    _write_table(results / FINALS, ["cell", "size", "seed", "settings", *_MEASURED], finals)


def _trial_row(study: Study, record: Record) -> dict[str, str]:
    job = record.job
    fold = study.trials.fold(job.number)
    values = {name: json.dumps(value, sort_keys=True) for name, value in record.values.items()}
    row = {"cell": job.cell, "trial": str(job.number), **values, **_measured(record)}
    del row["test"]
    return row if fold is None else {**row, "fold": str(fold)}


def _final_row(record: Record) -> dict[str, str]:
    job = record.job
    settings = json.dumps(record.values, sort_keys=True)
    told = {"cell": job.cell, "size": job.size, "seed": str(job.number), "settings": settings}
    return {**told, **_measured(record)}


def _measured(record: Record) -> dict[str, str]:
    found = {name: getattr(record, name) for name in _MEASURED}
    return {name: "" if value is None else str(value) for name, value in found.items()}


def _read_trial(row: Mapping[str, str]) -> Record:
    known = {"cell", "trial", "fold", *_MEASURED}
    values = {name: json.loads(text) for name, text in row.items() if name not in known and text}
    return _record(Job(row["cell"], "trial", int(row["trial"])), values, {**row, "test": ""})


def _read_final(row: Mapping[str, str]) -> Record:
    size: Any = row["size"]
    job = Job(row["cell"], "final", int(row["seed"]), size)
    return _record(job, json.loads(row["settings"]), row)


def _record(job: Job, values: Mapping[str, Any], row: Mapping[str, str]) -> Record:
    measured: dict[str, Any] = {name: _read_cell(name, row[name]) for name in _MEASURED}
    return Record(job=job, values=values, **measured)


def _read_cell(name: str, text: str) -> object:
    if not text:
        return None
    if name == "status":
        return text
    if name == "reached":
        return Reached.read(text)
    return int(text) if name in _WHOLE else float(text)


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _copy_new(source: Path, target: Path) -> None:
    """A finished run's curve does not change any more: once is enough."""
    if source.is_file() and not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as beside:
            shutil.copyfile(source, beside)
