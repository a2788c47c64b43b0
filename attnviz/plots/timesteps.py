"""A statistic cut down to the timesteps that are shown, each with its number and token."""

from dataclasses import replace

import numpy as np

from attnviz.analysis import Statistic, bin_means
from attnviz.plots.options import PlotOptions, chosen_range
from attnviz.plots.wrapped import TimeAxis
from attnviz.trace import Trace, tokens

__all__ = ["OVERVIEW", "at_timesteps", "bin_size", "overview_note", "time_axis"]

#: Sequences longer than this are shown as an overview, in bins, unless a range is chosen.
OVERVIEW = 600
_OVERVIEW_WRAP = 200


def at_timesteps(statistic: Statistic, trace: Trace, options: PlotOptions) -> Statistic:
    """The timesteps to show; means over bins where there are too many to read.

    Arguments:
        statistic: Of a single sequence: axes `(sequence, time, ...)` with one sequence.
        trace: The trace it was computed from, with all sequences.
        options: With the sequence and the range.

    Returns:
        Axes `(time, ...)`, with the coordinate `timestep(time)`, and `token(time)` unless binned.
    """
    first, last = chosen_range(trace, options)
    values = statistic.values.isel(sequence=0, time=slice(first, last))
    size = bin_size(trace, options)
    if size > 1:
        binned = bin_means(replace(statistic, values=values), size).values
        values = binned.rename(first_timestep="timestep")
    else:
        words = np.array(tokens(trace, options.sequence)[first:last], dtype=object)
        values = values.assign_coords(
            timestep=("time", np.arange(first, last)), token=("time", words)
        )
    return replace(statistic, values=values)


def bin_size(trace: Trace, options: PlotOptions) -> int:
    """Timesteps in a cell: 1, unless a long sequence is shown whole."""
    first, last = chosen_range(trace, options)
    return 1 if options.tokens else int(np.ceil((last - first) / OVERVIEW))


def time_axis(statistic: Statistic, trace: Trace, options: PlotOptions) -> TimeAxis:
    """The time axis of a figure of the statistic.

    Arguments:
        statistic: Made by `at_timesteps`.
        trace: The trace it was computed from.
        options: With the number of timesteps in a row.

    Returns:
        Numbers and, for text that is not binned, tokens.
    """
    numbers = [int(number) for number in statistic.values["timestep"].values]
    if bin_size(trace, options) > 1:
        return TimeAxis(numbers, None, _OVERVIEW_WRAP)
    if "span" not in trace.tree.data_vars:
        return TimeAxis(numbers, None, max(options.wrap, _OVERVIEW_WRAP))
    return TimeAxis(numbers, [str(word) for word in statistic.values["token"].values], options.wrap)


def overview_note(trace: Trace, options: PlotOptions) -> list[str]:
    """A note where a long sequence is shown in bins."""
    size = bin_size(trace, options)
    if size == 1:
        return []
    return [
        f"Overview: each cell is the mean over {size} consecutive timesteps. Choose a range of "
        "tokens to see every timestep and read the words."
    ]
