"""What figures are drawn from: traces, measured results and trainings; sequences by any name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.cards import RUN
from attnviz.cli.provenance import file_digest, run_digest
from attnviz.plots.kinds import EFFECT_KINDS, KINDS, PlotKind, drawable_kinds, shown_of
from attnviz.plots.result_kinds import (
    INFLUENCE_KINDS,
    RESULT_KINDS,
    drawable_results,
    kinds_of_result,
)
from attnviz.plots.training_kinds import (
    PROBE_KINDS,
    RUN_KINDS,
    STUDY_KINDS,
    TRAINING_KINDS,
    drawable_curves,
)
from attnviz.suggesting import meant
from attnviz.trace import Trace, sequence_length

if TYPE_CHECKING:
    import xarray as xr

    from attnviz.analysis.learning import RunCurve, StudyCurves

__all__ = ["Opened", "find_sequence", "open_source"]

_FEW = 5
_OF_RESULTS = (
    "model", "cell", "task", "split", "weights_digest", "level", "method", "group", "of",
    "estimator", "draws", "seed",
)  # fmt: skip
_OF_PROBES = ("model", "cell", "task", "split", "seed", "recipe")


@dataclass(frozen=True)
class Opened:
    """A trace, a measured result or a training, with the kinds of plot there are for it.

    Arguments:
        path: Where it lies.
        data: What it holds.
        kinds: Every kind for such data, by name.
        drawable: Those for which it holds what they need.
        provenance: What figures say of it.
    """

    path: Path
    data: "Trace | xr.Dataset | xr.DataTree | StudyCurves | RunCurve"
    kinds: Mapping[str, PlotKind[Any]]
    drawable: list[str]
    provenance: Mapping[str, str]

    @property
    def model(self) -> str:
        """The model's name, or the file's where it is not known."""
        return str(self.provenance.get("model", self.stem))

    @property
    def name(self) -> str:
        """What commands call it: the last part of its path."""
        return _called(self.path)

    @property
    def stem(self) -> str:
        """What files made from it are called: a run or a study is a folder, and has no suffix."""
        from attnviz.analysis.learning import RunCurve, StudyCurves

        return self.data.name if isinstance(self.data, RunCurve | StudyCurves) else self.path.stem

    def shows(self, kind: str) -> str:
        """What a kind shows of this, in a sentence."""
        if isinstance(self.data, Trace):
            return shown_of(self.data, kind)
        return self.kinds[kind].shows

    def kind(self, name: str) -> PlotKind[Any]:
        """A kind of plot.

        Raises:
            ValueError: If there is none of that name for such data.
        """
        if name in self.kinds:
            return self.kinds[name]
        others = {**KINDS, **RESULT_KINDS, **TRAINING_KINDS}
        if name in others:
            raise ValueError(
                f"The kind {name!r} is drawn from {_maker(name)}, which {self.path} is not. It "
                f"can be drawn as {', '.join(self.drawable) or 'nothing'}."
            )
        raise ValueError(
            f"There is no kind {name!r}{meant(name, others)}; there are {', '.join(others)}."
        )

    def sequence(self, what: str) -> int:
        """A sequence by number, id or words."""
        import xarray as xr

        if not isinstance(self.data, Trace | xr.Dataset):
            return 0  # nothing that is drawn of trainings is of one sequence
        return find_sequence(self.data, what, self.path)


def _called(path: Path) -> str:
    """The last part of a path, also of the current folder."""
    return path.name or path.absolute().name


def _maker(kind: str) -> str:
    """What a kind is drawn from, and the command that writes it."""
    if kind in KINDS:
        return "a trace (attnviz record)"
    if kind in EFFECT_KINDS:
        return "effects (attnviz ablate -o)"
    if kind in PROBE_KINDS:
        return "probes (attnviz train --probe)"
    if kind in STUDY_KINDS:
        either = " or of a run (attnviz train)" if kind in RUN_KINDS else ""
        return f"a folder of results (attnviz study run){either}"
    of_influence = kind in INFLUENCE_KINDS
    return "influence (attnviz influence)" if of_influence else "paths (attnviz path-classes)"


def open_source(path: Path) -> Opened:
    """Opens a trace, a run, probes, results of a study, or a measured result that ends in `.nc`.

    Arguments:
        path: Where it lies.

    Returns:
        What is needed to draw it.
    """
    from attnviz.plots.numbers import options_of, provenance_of, versions

    if (opened := _open_training(path)) is not None:
        return opened
    described = path.parent / f"{path.name}.toml"
    if not path.exists() and described.is_file():
        raise FileNotFoundError(
            f"The study of {described} has no results yet. Begin it: attnviz study run {described}"
        )
    if path.suffix.lower() != ".nc" or path.is_dir():
        from attnviz.store.reader import open_trace

        trace = open_trace(path)
        return Opened(path, trace, KINDS, drawable_kinds(trace), provenance_of(trace))
    from attnviz.store.effects import open_result

    result = open_result(path)
    said = {name: str(result.attrs[name]) for name in _OF_RESULTS if name in result.attrs}
    said |= options_of(result.attrs)
    said |= {"trace": path.name, "trace_digest": file_digest(path), **versions()}
    return Opened(path, result, kinds_of_result(result), drawable_results(result), said)


def _open_training(path: Path) -> Opened | None:
    """Probes, a run or the results of a study; none where the path leads to something else."""
    from attnviz.plots.numbers import versions
    from attnviz.store.probes import is_probes, open_probes

    if is_probes(path):
        probes = open_probes(path)
        said = {name: str(probes.attrs[name]) for name in _OF_PROBES if name in probes.attrs}
        said |= {"probes": path.name, **versions()}
        return Opened(path, probes, PROBE_KINDS, list(PROBE_KINDS), said)
    if (path / "study.toml").is_file():
        from attnviz.studies.curves import open_curves

        study = open_curves(path)
        said = {"study": study.name, "score": study.score, **versions()}
        said["study_digest"] = file_digest(path / "study.toml")
        return Opened(path, study, STUDY_KINDS, drawable_curves(study), said)
    if (path / RUN).is_file():
        from attnviz.studies.curves import open_run_curve

        run = open_run_curve(path)
        said = {"model": run.cell, "run": _called(path), "run_digest": run_digest(path)}
        said |= versions()
        return Opened(path, run, RUN_KINDS, drawable_curves(run), said)
    return None


def find_sequence(data: "Trace | xr.Dataset", what: str, path: Path) -> int:
    """A sequence by its number, its id, or words that its text alone has.

    Arguments:
        data: Any trace or measured result.
        what: Digits are a number; else an id; else words, in capitals or not.
        path: Where the data lie, for messages.

    Returns:
        The number.

    Raises:
        IndexError: If there is no such sequence.
        ValueError: If several have these words.
    """
    root = data.tree.dataset if isinstance(data, Trace) else data
    count = root.sizes["sequence"]
    ids = [str(name) for name in root["id"].values] if "id" in root else []
    if what.removeprefix("-").isdecimal():
        if isinstance(data, Trace):
            sequence_length(data, int(what))  # says what there is, if there is none
        if -count <= int(what) < count:
            return int(what) % count
        raise IndexError(
            f"{path} holds {count} sequences, numbered 0 to {count - 1}, and has no sequence "
            f"{what}."
        )
    if what in ids:
        return ids.index(what)
    words, texts = _searched(root, what)
    found = [number for number, text in enumerate(texts) if words in text]
    if len(found) == 1:
        return found[0]
    if not found:
        raise IndexError(
            f"No sequence has the number or id {what!r}, nor these words in its text. "
            + (f"attnviz info {path} lists them; there" if isinstance(data, Trace) else "There")
            + f" are {count}, numbered from 0."
        )
    several = ", ".join(map(str, found[:_FEW])) + (" ..." if len(found) > _FEW else "")
    raise ValueError(
        f"{len(found)} sequences have the words {what!r}: {several}. Add words, or choose one by "
        "its number."
    )


def _searched(root: "xr.Dataset", what: str) -> tuple[str, list[str]]:
    """Words and the texts to look for them in; results keep no text, but may keep its tokens."""
    if "text" in root:
        return _plain(what), [_plain(str(text)) for text in root["text"].values]
    if "token" not in root:
        return what, []
    from attnviz.text import tokenize

    words = " ".join(what[start:end] for start, end in tokenize(what))
    rows = root["token"].transpose("sequence", ...).values
    return _plain(words), [_plain(" ".join(map(str, row))) for row in rows]


def _plain(text: str) -> str:
    """Words with one blank between, without capitals."""
    return " ".join(text.split()).casefold()
