"""What a single figure costs: `python -m tests.benchmarks.startup`.

Processor time of `attnviz plot` of a review of 185 words, from the start of the process to its end,
against that of importing xarray, zarr and matplotlib alone, in turns. A round before the first
leaves what Python compiles beside the sources, as a user's first start does.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import attnviz
from tests.attnviz import traces
from tests.benchmarks.timing import Spread

WORDS = 185
IMPORTS = {
    "matplotlib.pyplot": "import xarray, zarr, matplotlib.pyplot",
    "matplotlib without pyplot": "import xarray, zarr, matplotlib",
}


def spent(*arguments: str) -> float:
    """Seconds of the processor that a process takes."""
    # Else every start would compile what lies in a checkout, though nothing that is installed.
    keeping = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=keeping)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, rounds: int, suffix: str) -> dict[str, list[float]]:
    """Seconds of the command and of each import, in every round, after one for warmth."""
    trace = attnviz.save_trace(traces.rra([traces.review(WORDS)]), folder / "trace.zarr")
    figure = folder / f"figure.{suffix}"
    plot = ["-m", "attnviz.cli", "plot", str(trace), "--kind", "heatmap", "-o", str(figure)]
    times: dict[str, list[float]] = {"attnviz plot": [], **{name: [] for name in IMPORTS}}
    for turn in range(rounds + 1):
        for name, found in times.items():
            seconds = spent("-c", IMPORTS[name]) if name in IMPORTS else spent(*plot)
            found += [seconds] if turn else []
    return times


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--format", choices=["pdf", "svg", "png"], default="pdf")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), options.rounds, options.format)
    print(f"Python {platform.python_version()}, {platform.machine()}, {options.rounds} rounds")
    middle = {name: Spread.of(found) for name, found in times.items()}
    for name, found in middle.items():
        of = middle["attnviz plot"].median / found.median
        said = "" if name == "attnviz plot" else f"; attnviz plot takes {of:.2f} x that"
        print(f"{name}: {found.median:.2f} s ({found.lowest:.2f}-{found.highest:.2f}){said}")


if __name__ == "__main__":
    main()
