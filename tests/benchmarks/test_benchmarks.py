import pytest

from tests.benchmarks import __main__ as command
from tests.benchmarks import startup
from tests.benchmarks.subjects import CELLS, reading, training
from tests.benchmarks.table import reading_table, training_table
from tests.benchmarks.timing import Spread, alternate, ratios
from tests.cells.pretend_cuda import pretend_cuda


def test_functions_take_turns_after_a_round_for_warmth():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in ("a", "b")}

    times = alternate(functions, rounds=3)

    assert calls == ["a", "b"] * 4
    assert [len(times[name]) for name in ("a", "b")] == [3, 3]


def test_ratios_are_of_the_same_round():
    times = {"mine": [2.0, 30.0, 8.0], "its": [1.0, 10.0, 1.0]}

    assert ratios(times, "mine", to="its") == Spread(3.0, 2.0, 8.0)


def test_tables_show_ratios_and_overheads():
    times = {
        "torch": [0.010, 0.010, 0.010],
        "fast": [0.012, 0.015, 0.011],
        "all signals": [0.0126, 0.0165, 0.011],
        "gradient norms": [0.012, 0.015, 0.011],
    }

    table = training_table([("GRU", (2, 3, 4), times)])

    assert table.splitlines()[2] == (
        "| GRU | 2, 3, 4 | 10.0 ms | – | 1.20 × (1.10–1.50) | – | +5 % (+0 to +10) "
        "| +0 % (+0 to +0) |"
    )
    assert "graph" not in table
    graphed = training_table([("GRU", (2, 3, 4), times | {"graph": [0.002, 0.005, 0.001]})])
    assert graphed.splitlines()[0].split(" | ")[4:7] == ["fast", "graph", "graph, all signals"]
    assert graphed.splitlines()[2].split(" | ")[5:7] == ["0.20 × (0.10–0.50)", "–"]
    assert "| rra-imdb | 30 ms (20–40) | 3 ms (2–4) |" in reading_table(
        [("rra-imdb", {"step": [0.02, 0.03, 0.04], "fast": [0.002, 0.003, 0.004]})]
    )


def test_every_subject_runs(monkeypatch):
    pretend_cuda(monkeypatch)
    expected = {"torch", "fast", "step", "all signals", "graph", "graph, all signals"}
    for name in CELLS:
        functions = training(name, (8, 8, 3), device="cpu", step=True, graph=True)
        assert expected <= set(alternate(functions, rounds=1))
    assert set(alternate(reading("rra-imdb", 5, device="cpu"), rounds=1)) == {"fast", "step"}


def test_a_quick_run_keeps_to_the_rounds_and_cells_asked_for(monkeypatch, capsys):
    timed = []

    def alternate(functions, *, rounds, wait):
        timed.append(rounds)
        return {name: [1.0] * rounds for name in functions}

    monkeypatch.setattr(command, "alternate", alternate)
    monkeypatch.setattr(command, "training", lambda *_, **__: {"torch": None, "fast": None})
    monkeypatch.setattr(command, "reading", lambda *_, **__: {"step": None, "fast": None})

    command._measure(
        command._options(["--quick", "--rounds", "1", "--cells", "RRA", "--child", "1"])
    )

    said = capsys.readouterr().out
    assert timed == [1, 1]
    assert "of 1 alternated rounds" in said
    assert "rra-imdb" in said
    assert "lstm-imdb" not in said
    command._measure(command._options(["--quick", "--child", "1"]))
    assert set(timed[2:]) == {3}


@pytest.mark.slow
def test_a_figure_and_the_imports_take_turns(tmp_path):
    times = startup.measure(tmp_path, rounds=1, suffix="svg")

    assert list(times) == ["attnviz plot", *startup.IMPORTS]
    assert all(len(found) == 1 and 0.1 < found[0] < 60 for found in times.values())
    # A bound that no machine should pass; `python -m tests.benchmarks.startup` measures.
    assert times["attnviz plot"][0] < 4 * times["matplotlib.pyplot"][0]
    assert (tmp_path / "figure.svg").is_file()
