"""What the explorer was given: traces or models, by any name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.cards import recording_command
from attnviz.explorer.shelf import Shelf, TraceShelf
from attnviz.store import open_trace
from attnviz.trace import Trace

if TYPE_CHECKING:
    from attnviz.models import SequenceModel
    from attnviz.recording import Texts
    from attnviz.tasks import TextSplit

    Given = Trace | SequenceModel | str | Path
    Texty = Sequence[str] | Texts | TextSplit

__all__ = ["open_named", "shelf_of"]


def shelf_of(
    given: "Given | Sequence[Given] | Mapping[str, Given]",
    texts: "Texty | None" = None,
    reference: Sequence[str] | None = None,
) -> Shelf:
    """The shelf of traces or models.

    Arguments:
        given: A trace or a model, the name of a model that ships, or the folder of either; several
            of them in a list, or by name.
        texts: For models: what to choose from; the sentences that ship if not given.
        reference: For models: texts whose words stand in for others.

    Returns:
        The shelf.

    Raises:
        TypeError: If traces and models are mixed, something else is given, or `texts` is a single
            string.
        ValueError: If there is nothing to show.
        FileNotFoundError: If there is no such folder.
    """
    opened = _named(given)
    traces = {key: one for key, one in opened.items() if isinstance(one, Trace)}
    if len(traces) == len(opened):
        if texts is not None:
            raise TypeError("A trace holds its own texts: leave texts out, or give models.")
        return TraceShelf(traces)
    if traces:
        raise TypeError(
            "The explorer shows traces or models, not both at once: a trace cannot read what is "
            f"typed. Got the traces {list(traces)} among {list(opened)}."
        )
    return _models(opened, texts, reference)


def _models(
    opened: Mapping[str, object], texts: "Texty | None", reference: Sequence[str] | None
) -> Shelf:
    from attnviz.explorer.live_shelf import ModelShelf  # needs torch; traces do not
    from attnviz.models import SequenceModel
    from attnviz.recording import Texts
    from attnviz.tasks import TextSplit, load_demo_sentences

    for name, told in (("texts", texts), ("reference", reference)):
        if isinstance(told, str):
            raise TypeError(f"{name} is a list of texts; put a single one in brackets.")
    models = {key: one for key, one in opened.items() if isinstance(one, SequenceModel)}
    for key, one in opened.items():
        if key not in models:
            raise TypeError(
                f"The explorer shows traces and models of texts (SequenceModel), but {key!r} is "
                f"{type(one).__name__}."
            )
        numbers = models[key].embedding is None
        if numbers or models[key].kind == "language_model":
            what = "reads numbers" if numbers else "is a language model"
            how = recording_command(
                models[key].card, by="record_numbers" if numbers else "record_running"
            )
            raise ValueError(
                f"The explorer lets models tell texts apart, but {key} {what}. Record it and "
                f"explore the trace: {how}, then attnviz explore "
                "trace.zarr -o page.html"
            )
    # Models that number their classes differently have no label in common.
    numbered = {one.classes for one in models.values()}
    shipped = load_demo_sentences(numbered.pop() if len(numbered) == 1 else ())
    chosen: Texty = shipped if texts is None else texts
    if isinstance(chosen, TextSplit):
        chosen = Texts(chosen.texts, [int(label) for label in chosen.labels], chosen.ids)
    elif not isinstance(chosen, Texts):
        chosen = Texts([chosen] if isinstance(chosen, str) else chosen)
    wrong = next((text for text in chosen.texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise TypeError(f"Explorer's texts are strings, but got {wrong!r}.")
    return ModelShelf(models, chosen, shipped.texts if reference is None else reference)


def _named(given: object) -> dict[str, object]:
    if isinstance(given, Mapping):
        return {str(key): _opened(one) for key, one in given.items()}
    several = given if isinstance(given, (list, tuple)) else [given]
    named: dict[str, object] = {}
    for one in several:
        found = _opened(one)
        own = found.tree.attrs.get("model") if isinstance(found, Trace) else None
        key = str(own or getattr(found, "name", None) or "trace")
        # The same model twice, say before and after training, keeps both panels.
        taken = sum(name == key or name.startswith(f"{key} (") for name in named)
        named[f"{key} ({taken + 1})" if taken else key] = found
    return named


def _opened(one: object) -> object:
    return open_named(one) if isinstance(one, (str, Path)) else one


def open_named(name: str | Path) -> "Trace | SequenceModel":
    """The trace of a store, or the model of a folder or that ships under a name.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it cannot be read.
    """
    path = Path(name)
    if path.suffix in (".zarr", ".zip") or (path / "zarr.json").is_file():
        return open_trace(path)
    from attnviz.pretrained import load_model

    return load_model(name)
