"""Panels of figures from opened traces, for `compare` and `figure`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnviz.cli.sources import Opened

if TYPE_CHECKING:
    from attnviz.analysis.statistic import Statistic
    from attnviz.plots import Panel, PlotOptions

__all__ = ["numbers_of", "panel", "provenance_of_all", "settled"]

#: Said of every source, one a line; the rest once, where it is the same.
_EACH = ("trace", "study", "run", "options", "trace_digest", "study_digest", "run_digest")


def panel(
    sources: Mapping[str, Opened],
    kind: str,
    options: "PlotOptions",
    *,
    share: str | None = None,
    span: int = 1,
    title: str | None = None,
) -> "Panel":
    """One panel of one trace, or of several in one plot.

    Arguments:
        sources: By the name to show.
        kind: Name of the kind.
        options: What to show; its limits stand in place of those of a shared scale.
        share: The word of a shared scale.
        span: Columns it takes.
        title: In place of the plot's own.

    Returns:
        The panel.

    Raises:
        ValueError: If the kind draws one trace at a time and there are several.
    """
    from attnviz.plots.composition import Panel

    first = next(iter(sources.values()))
    chosen, together = first.kind(kind), first.kind(kind).together
    for source in sources.values():
        source.kind(kind)
    if len(sources) > 1 and together is None:
        able = [name for name, one in first.kinds.items() if one.together is not None]
        raise ValueError(
            f"The kind {kind!r} draws one trace at a time, but there are {len(sources)}: give each "
            f"a panel. {' and '.join(able) or 'None of its kinds'} can draw several together."
        )
    data = {name: source.data for name, source in sources.items()}

    def draw(limits: "tuple[float, float] | None"):  # type: ignore[no-untyped-def]  # noqa: ANN202
        now = options if limits is None else replace(options, limits=limits)
        if together is not None:
            return together(data, now)
        return chosen.draw(first.data, now)

    return Panel(draw, None if options.limits is not None else share, span, title)


def settled(sources: Sequence[Opened], kind: str, options: "PlotOptions") -> "PlotOptions":
    """The options of sources that are drawn together or on one scale, which show the same score."""
    if kind != "learning-curves" or options.score is not None:
        return options
    from attnviz.plots.training_kinds import common_score

    data: list[Any] = [source.data for source in sources]
    return replace(options, score=common_score(data))


def numbers_of(source: Opened, kind: str, options: "PlotOptions") -> "Statistic":
    """What a panel draws of one trace."""
    found: Statistic = source.kind(kind).numbers(source.data, options)
    return found


def provenance_of_all(sources: Sequence[Opened]) -> dict[str, str]:
    """What a figure says of several traces: names and digests of each, the rest together."""
    unique = list({str(source.path): source for source in sources}.values())
    keys = dict.fromkeys(key for source in unique for key in source.provenance)
    said = {}
    for key in keys:
        values = [source.provenance.get(key, "") for source in unique]
        said[key] = (
            "\n".join(filter(None, values))
            if key in _EACH
            else ", ".join(filter(None, dict.fromkeys(values)))
        )
    return said
