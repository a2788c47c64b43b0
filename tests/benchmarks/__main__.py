"""Measures the cells against torch's own layers: `python -m tests.benchmarks`."""

import argparse
import os
import platform
import subprocess
import sys

import torch

from attnviz import shipped_models
from tests.benchmarks.subjects import CELLS, SIZES, reading, training
from tests.benchmarks.table import reading_table, training_table
from tests.benchmarks.timing import alternate

WORDS = 400
RAISED = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}


def main() -> None:
    """Runs each number of threads in a process of its own, so that its settings are clean."""
    options = _options()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no CUDA device here; leave --device out to measure on the CPU.")
    if options.child:
        _measure(options)
        return
    for threads in options.threads:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        environment |= RAISED if options.malloc else {}
        arguments = [*sys.argv[1:], "--child", str(threads)]
        command = [sys.executable, "-m", "tests.benchmarks", *arguments]
        subprocess.run(command, env=environment, check=True)


def _options(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, help="of everything, taking turns; 9, or 3 if quick")
    parser.add_argument("--cells", nargs="+", choices=list(CELLS), default=list(CELLS))
    parser.add_argument("--quick", action="store_true", help="the last size only")
    parser.add_argument("--no-step", action="store_true", help="leave the looped step out")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--malloc", action="store_true", help="raise glibc's thresholds")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds is at least 1, got {options.rounds}")
    return options


def _measure(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.child)
    rounds = options.rounds or (3 if options.quick else 9)
    sizes = SIZES[-1:] if options.quick else SIZES
    device = options.device
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    print(f"\n{_caption(options, rounds)}\n", flush=True)
    trained = []
    for cell in options.cells:
        for size in sizes:
            functions = training(
                cell, size, device=device, step=not options.no_step, graph=device == "cuda"
            )
            trained.append((cell, size, alternate(functions, rounds=rounds, wait=wait)))
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(training_table(trained))
    print(f"\nOne review of {WORDS} words, batch 1, attention and prediction at every timestep:\n")
    read = [
        (model, alternate(reading(model, WORDS, device=device), rounds=rounds, wait=wait))
        for model in _models(options.cells)
    ]
    print(reading_table(read), flush=True)


def _models(chosen: list[str]) -> list[str]:
    """The models of reviews that ship, of the chosen cells."""
    named = {cell.split()[0].lower() for cell in chosen}
    return [model for model in shipped_models(task="imdb") if model.split("-")[0] in named]


def _caption(options: argparse.Namespace, rounds: int) -> str:
    name = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    malloc = "raised" if options.malloc else "as they come"
    return (
        f"Forward and backward in float32, median (smallest–largest) of {rounds} alternated rounds "
        f"on {name}, {options.child} thread(s), torch {torch.__version__}, Python "
        f"{platform.python_version()}, malloc thresholds {malloc}. Ratios are to torch.nn.LSTM of "
        "the same sizes (GRU: torch.nn.GRU); percentages to the fast path that records nothing."
        f"{_precision() if options.device == 'cuda' else ''}"
    )


def _precision() -> str:
    """TF32 changes a ratio: torch's own layer may use it where ours do not."""
    cudnn = "may" if torch.backends.cudnn.allow_tf32 else "may not"
    products = "may" if torch.backends.cuda.matmul.allow_tf32 else "may not"
    return f" cuDNN, which torch.nn's layers run on, {cudnn} use TF32; products of ours {products}."


if __name__ == "__main__":
    main()
