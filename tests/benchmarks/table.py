"""Times as tables that a README can show."""

from collections.abc import Mapping, Sequence

from tests.benchmarks.timing import Spread, ratios

__all__ = ["reading_table", "training_table"]

Times = Mapping[str, list[float]]
Size = tuple[int, int, int]

RECORDED = ("attention", "all signals", "gradient norms")


def training_table(results: Sequence[tuple[str, Size, Times]]) -> str:
    """Ratios to torch's own layer, and what recording adds to the fast path.

    Arguments:
        results: Cell, size and the times of `subjects.training`.
    """
    graph = any("graph" in times for _, _, times in results)  # where there is a CUDA device
    paths = ("step", "fast", *(["graph", "graph, all signals"] if graph else []))
    head = ("cell", "batch, units, time", "torch", *paths, *(f"+ {n}" for n in RECORDED))
    rows = []
    for cell, size, times in results:
        milliseconds = Spread.of(list(times["torch"])).median * 1e3
        row = [cell, ", ".join(map(str, size)), f"{milliseconds:.1f} ms"]
        for path in paths:
            row.append(_times(ratios(times, path, to="torch")) if path in times else "–")
        for level in RECORDED:
            row.append(_percent(ratios(times, level, to="fast")) if level in times else "–")
        rows.append(row)
    return _markdown(head, rows)


def reading_table(results: Sequence[tuple[str, Times]]) -> str:
    """Milliseconds of one review."""
    rows = [
        [model, *(_milliseconds(Spread.of(list(times[path]))) for path in ("step", "fast"))]
        for model, times in results
    ]
    return _markdown(("model", "step", "fast"), rows)


def _times(spread: Spread) -> str:
    return f"{spread.median:.2f} × ({spread.lowest:.2f}–{spread.highest:.2f})"


def _percent(spread: Spread) -> str:
    low, high = (100 * (value - 1) for value in (spread.lowest, spread.highest))
    return f"{100 * (spread.median - 1):+.0f} % ({low:+.0f} to {high:+.0f})"


def _milliseconds(spread: Spread) -> str:
    low, high = spread.lowest * 1e3, spread.highest * 1e3
    return f"{spread.median * 1e3:.0f} ms ({low:.0f}–{high:.0f})"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
