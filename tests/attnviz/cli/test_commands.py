"""The command as a user types it, in a process of its own where that matters."""

import json
import os
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import attnviz
from attnviz.cli.console import explain
from attnviz.tasks import load_adding
from tests.attnviz import traces
from tests.attnviz.cli.shell import called, run


@pytest.fixture
def rra_store(tmp_path):
    return attnviz.save_trace(traces.rra(), tmp_path / "rra.zarr")


def test_plot_and_info_work_where_torch_is_not_installed(tmp_path, rra_store):
    blocker = tmp_path / "blocked"
    blocker.mkdir()
    for name in ("torch", "safetensors", "pytorch_lightning"):
        (blocker / f"{name}.py").write_text("raise ModuleNotFoundError('blocked', name=__name__)")
    path = os.pathsep.join([str(blocker), os.environ.get("PYTHONPATH", "")])

    info = run("info", rra_store, PYTHONPATH=path)
    plot = run("plot", rra_store, "-o", tmp_path / "map.svg", PYTHONPATH=path)
    record = run("record", "rra-imdb", "--text", "good", "-o", "t.zarr", PYTHONPATH=path)

    assert info.returncode == 0, info.stderr
    assert "attention" in info.stdout
    assert plot.returncode == 0, plot.stderr
    assert (tmp_path / "map.svg").stat().st_size > 1000
    assert record.returncode == 1
    assert "pip install 'attnviz[torch]'" in record.stderr
    assert "Traceback" not in record.stderr


def test_info_names_what_a_trace_holds_and_where_it_comes_from(monkeypatch, capsys, rra_store):
    status, output, _ = called(monkeypatch, capsys, "info", rra_store)

    assert status == 0
    trace = traces.rra()
    for expected in (
        "contribution",
        str(trace.tree["id"].values[0]),
        attnviz.trace_digest(rra_store),
        trace.tree.attrs["model"],
    ):
        assert expected in output


def test_info_answers_a_script(monkeypatch, capsys, rra_store):
    status, output, error = called(monkeypatch, capsys, "info", rra_store, "--json")

    assert status == 0, error
    said, trace = json.loads(output), traces.rra()
    assert said["digest"] == attnviz.trace_digest(rra_store)
    assert said["length"] == trace.tree["length"].values.tolist()
    assert said["sequences"] == {"planned": 2, "recorded": 2}
    assert said["attributes"]["model"] == trace.tree.attrs["model"]
    held = said["layers"]["l0"]["contribution"]
    assert held["axes"] == dict(trace.tree["l0"]["contribution"].sizes)
    assert said["kinds"][0] == "heatmap"


@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_a_figure_tells_which_trace_and_command_made_it(
    monkeypatch, capsys, tmp_path, rra_store, suffix
):
    figure = tmp_path / f"map.{suffix}"
    drawn = ("plot", rra_store, "--kind", "contribution", "--sequence", 1, "-o", figure)
    status, output, _ = called(monkeypatch, capsys, *drawn)
    assert status == 0
    assert str(figure) in output

    _, output, _ = called(monkeypatch, capsys, "info", figure)

    assert "--kind contribution --sequence 1" in output
    assert attnviz.trace_digest(rra_store) in output


def test_numbers_of_a_plot(monkeypatch, capsys, tmp_path, rra_store):
    figure, numbers = tmp_path / "map.pdf", tmp_path / "map.csv"

    called(monkeypatch, capsys, "plot", rra_store, "-o", figure, "--data")

    rows = [line for line in numbers.read_text().splitlines() if not line.startswith("#")]
    attention = attnviz.signal(traces.rra(), "attention")
    length = attnviz.open_trace(rra_store).tree["length"].values[0]
    assert len(rows) - 1 == length * attention.sizes["head"] * attention.sizes["lag"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plot", "{trace}", "--kind", "heat", "-o", "x.png"), "no kind 'heat'; there are heatmap"),
        (("plot", "{trace}", "--sequence", 99, "-o", "x.png"), "has no sequence 99"),
        (("plot", "{trace}", "-o", "x.bmp"), "ends in '.bmp'"),
        (("plot", "{trace}", "--tokens", "3-5", "-o", "x.png"), "such as 100:160, got '3-5'"),
        (("plot", "{trace}", "--kind", "feature-attention", "-o", "x.png"), "feature_attention"),
        (("plot", "nowhere.zarr", "-o", "x.png"), "no trace at nowhere.zarr"),
        (("info", "{table}"), "table.csv is not a trace: expected a directory"),
        (("record", "nobody", "--text", "hi", "-o", "t.zarr"), "no model 'nobody'"),
        (("record", "nobody", "-o", "no/where/t.zarr"), "folder no/where does not exist"),
        (
            ("record", "nobody", "-o", "t.nc"),
            "or a .zip, got t.nc. Write one of these; attnviz export",
        ),
        (("record", "nobody", "-o", "t.zarr"), "Say what to read: either --task (imdb"),
        (("record", "nobody", "--task", "imdb", "--text", "x", "-o", "t.zarr"), "Say what to read"),
        (
            ("record", "rra-imdb", "--task", "imbd", "-o", "t.zarr"),
            "name imdb, adding, har,",
        ),
        (("record", "rra-imdb", "--task", "{table}", "-o", "t.zarr"), "--text-column COLUMN"),
        (
            ("ablate", "rra-imdb", "--task", "adding"),
            "was not trained on the adding problem",
        ),
        (("train", "rnn", "imdb"), "no cell 'rnn'; there are rra, larnn"),
        (("train", "rra", "imbd"), "no task 'imbd'"),
        (("train", "rra", "{table}"), "--text COLUMN"),
        (("train", "rra", "{table}", "--text", "body", "--label", "b"), "body"),
    ],
)
def test_a_mistake_is_one_message_and_no_traceback(
    monkeypatch, capsys, tmp_path, rra_store, arguments, message
):
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "table.csv"
    table.write_text("a,b\nx,1\ny,0\n")
    filled = [str(a).format(trace=rra_store, table=table) for a in arguments]

    status, _, error = called(monkeypatch, capsys, *filled)

    assert status == 1
    assert message in " ".join(error.split())
    assert error.count("attnviz:") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rra.zarr", "table.csv"]


def test_a_store_cut_off_or_of_a_newer_version_is_explained(
    monkeypatch, capsys, tmp_path, rra_store
):
    described = rra_store / "zarr.json"
    attributes = json.loads(described.read_text())
    attributes["attributes"]["format"] = "attnviz-trace/2"
    described.write_text(json.dumps(attributes))
    status, _, error = called(monkeypatch, capsys, "info", rra_store)
    assert status == 1
    assert "attnviz-trace/2" in error

    described.write_text(described.read_text()[:50])
    status, _, error = called(monkeypatch, capsys, "info", rra_store)
    assert status == 1
    assert "Traceback" not in error


def table_of_reviews(path):
    random = np.random.default_rng(0)
    rows = ["text,label"]
    for number in range(160):
        mood = ("fine", "good") if number % 2 else ("poor", "bad")
        filler = " ".join(random.choice(["the", "film", "was", "and", "plot"], size=6))
        rows.append(f'"{filler} {random.choice(mood)}, {number}",{"up" if number % 2 else "down"}')
    path.write_text("\n".join(rows) + "\n")


def test_a_table_of_ones_own_goes_from_training_to_a_figure(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    table_of_reviews(tmp_path / "reviews.csv")
    train = ("train", "rra", "reviews.csv", "--text", "text", "--label", "label", "--hidden", 5)
    train = (*train, "--epochs", 2, "--batch-size", 16, "--option", "window=3", "--run", "run")

    status, output, error = called(monkeypatch, capsys, *train, "--test")
    assert status == 0, error
    assert "epoch 1: loss" in output
    assert "Test accuracy" in output
    status, _, error = called(monkeypatch, capsys, "report", "run", "-o", "run.md", "--quiet")
    assert (status, error) == (0, "")
    page = (tmp_path / "run.md").read_text()
    # Whether the reviews that ship are good is not what this model was asked.
    assert "predicted" in page and "true: " not in page and "right" not in page
    status, _, error = called(
        monkeypatch, capsys, "record", "run", "--text", "the good, bad plot", "-o", "own.zarr"
    )
    assert status == 0, error
    (told,) = [line for line in output.splitlines() if line.startswith("Next: attnviz ")]
    status, _, error = called(monkeypatch, capsys, *told.removeprefix("Next: attnviz ").split())
    assert status == 0, error
    assert attnviz.open_trace("trace.zarr").tree.attrs["split"] == "test"
    status, _, error = called(
        monkeypatch, capsys, "plot", "own.zarr", "--kind", "text", "-o", "own.pdf"
    )
    assert status == 0, error
    trace = attnviz.open_trace("own.zarr")
    assert attnviz.tokens(trace, 0) == ["the", "good", ",", "bad", "plot"]
    assert attnviz.signal(trace, "attention").sizes["lag"] == 3


def test_the_adding_problem_goes_from_training_to_a_figure(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "attnviz.tasks.load_adding", partial(load_adding, epoch_size=64, held_out=9)
    )
    train = ("train", "rra", "adding", "--length", 12, "--hidden", 4, "--epochs", 2, "--test")

    status, output, error = called(monkeypatch, capsys, *train, "--option", "window=3")
    assert status == 0, error
    assert "epoch 1: loss" in output and "accuracy" not in output
    assert (
        "validation mean squared error" in output
        and "the mean: 0.1667, solved below 0.0833" in output
    )
    assert "Test mean squared error" in output
    (told,) = [line for line in output.splitlines() if line.startswith("Next: attnviz ")]
    status, output, error = called(
        monkeypatch, capsys, *told.removeprefix("Next: attnviz ").split()
    )
    assert status == 0, error
    assert "Recorded 9 sequences of adding-12 (test split) in trace.zarr" in output
    trace = attnviz.open_trace("trace.zarr")
    assert trace.tree.attrs["task"] == "adding-12" and trace.tree.attrs["split"] == "test"
    plot = ("plot", "trace.zarr", "--kind", "heatmap", "-o", "adding.pdf")
    status, _, error = called(monkeypatch, capsys, *plot)
    assert status == 0, error

    asked = ("runs/rra-adding-12", "--task", "adding", "--limit", 4)
    for command in (
        ("ablate", *asked, "--figure", "a.pdf", "-o", "a.nc"),
        ("ablate", *asked, "--method", "mean"),
        ("influence", *asked, "-o", "i.nc"),
        ("path-classes", *asked, "-o", "p.nc"),
    ):
        status, output, error = called(monkeypatch, capsys, *command)
        assert status == 0, error
        assert "4 sequences of adding-12 (validation split)" in output
        assert ("effect on the squared error" in output) == (command[0] == "ablate")

    status, _, error = called(monkeypatch, capsys, "train", "gru", "adding", "--limit", 3)
    assert status == 1 and "--limit means nothing for the task adding" in error
    status, _, error = called(monkeypatch, capsys, "train", "gru", "imdb", "--length", 3)
    assert status == 1 and "--length means nothing for the task imdb" in error
    record = ("record", "runs/rra-adding-12", "--task", "adding", "-o", "other.zarr")
    status, _, error = called(monkeypatch, capsys, *record, "--split", "train")
    assert status == 1 and "it has the splits ['test', 'validation'], got 'train'" in error
    status, _, error = called(
        monkeypatch, capsys, "record", "gru-imdb", "--task", "adding", "-o", "other.zarr"
    )
    assert status == 1 and "gru-imdb was not trained on the adding problem" in error


def test_help_of_every_command_has_an_example(monkeypatch, capsys):
    for command in ("demo", "train", "record", "info", "plot", "compare", "figure", "ablate"):
        status, output, _ = called(monkeypatch, capsys, command, "--help")
        assert status == 0
        assert f"attnviz {command}" in output


def test_version(monkeypatch, capsys):
    _, output, _ = called(monkeypatch, capsys, "--version")
    assert output.strip() == f"attnviz {attnviz.__version__}"


def test_a_store_of_other_texts_is_not_taken_for_this_recording(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    record = ("record", "gru-imdb", "-o", "t.zarr", "--text")
    assert called(monkeypatch, capsys, *record, "A totally different text")[0] == 0

    status, _, error = called(monkeypatch, capsys, *record, "Another words here now")

    assert status == 1
    said = " ".join(error.split())
    assert "t.zarr exists as another recording: with other texts or labels. Choose another" in said
    assert "or delete it" in said and "digest" not in said
    assert attnviz.tokens(attnviz.open_trace("t.zarr"), 0)[1] == "totally"
    assert called(monkeypatch, capsys, *record, "A totally different text")[0] == 0


def test_an_lstm_is_offered_a_figure_that_it_can_draw(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    record = ("record", "lstm-imdb", "--text", "a fine film", "-o", "t.zarr")
    status, output, error = called(monkeypatch, capsys, *record)
    assert status == 0, error
    assert "Recorded 1 text in t.zarr" in output
    told = output.splitlines()[-1].split(", or attnviz ")[1]
    assert "--kind gate-attention" in told

    assert called(monkeypatch, capsys, *told.split())[0] == 0
    status, output, error = called(monkeypatch, capsys, "plot", "t.zarr", "-o", "own.pdf")

    assert status == 0, error
    assert "How much of each earlier candidate" in output


def test_a_wrong_option_leaves_no_run_behind(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    table_of_reviews(tmp_path / "reviews.csv")
    train = ("train", "rra", "reviews.csv", "--text", "text", "--label", "label", "--hidden", 3)
    train = (*train, "--epochs", 1, "--run", "run", "--option")

    for option, message in (
        ("windo=5", "does not take the option 'windo'; it takes"),
        ("window=abc", "option window is a whole number, got 'abc'"),
        ("forget_bias={chrono: 9}", "forget_bias begins like JSON, but {chrono: 9} is none"),
        ('forget_bias={"chrono": 2.5}', "in whole timesteps, got {'chrono': 2.5}"),
    ):
        status, _, error = called(monkeypatch, capsys, *train, option)
        assert status == 1
        assert message in " ".join(error.split())
        assert not (tmp_path / "run").exists()
    chosen = ("window=3", "--option", 'forget_bias={"chrono": 9}')
    status, output, error = called(monkeypatch, capsys, *train, *chosen)
    assert status == 0, error
    assert "epoch 1: loss" in output
    assert "Kept epoch 1" in output
    told = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert told["settings"]["options"]["forget_bias"] == {"chrono": 9}
    # The same command goes on with the same run, and finds it finished.
    status, output, error = called(monkeypatch, capsys, *train, *chosen)
    assert status == 0, error
    assert "Kept epoch 1" in output and "epoch 1: loss" not in output


def test_without_a_terminal_progress_is_a_line_now_and_then(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    table_of_reviews(tmp_path / "reviews.csv")
    train = ("train", "gru", "reviews.csv", "--text", "text", "--label", "label", "--hidden", 3)
    train = (*train, "--epochs", 1, "--run", "run", "--batch-size", 16)
    monkeypatch.setattr("attnviz.cli.console.QUIET", 0.0)

    status, _, error = called(monkeypatch, capsys, *train)

    assert status == 0, error
    lines = error.splitlines()
    assert lines[0] == "Loading PyTorch …"
    assert "preparing words: 272 of 272" in lines
    assert [line for line in lines if line.startswith("training: ")] == [
        f"training: {step} of 8" for step in range(9)
    ]
    # Quietly only what came out is said.
    status, output, error = called(monkeypatch, capsys, *train, "--quiet")
    assert (status, error) == (0, "")
    assert output.startswith("Kept epoch 1: validation accuracy") and output.count("\n") == 1


def test_what_is_chosen_by_a_word_in_place_of_a_number_is_explained(tmp_path):
    code = """
import attnviz
model = attnviz.load_model("gru-imdb")
for wrong in (
    lambda: attnviz.record_texts(model, attnviz.Texts(["a film"], labels=["pos"])),
    lambda: attnviz.plot_gate_attention(
        attnviz.record_texts(model, attnviz.Texts(["x", "a film"], ids=["a", "b"])), sequence="b"
    ),
):
    try:
        wrong()
    except TypeError as error:
        print(error)
"""
    # In a process of its own: here the types of arguments are checked before the package does.
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    labels, sequence = done.stdout.splitlines()
    assert "text 0 has the label 'pos'. For gru-imdb: 0 = negative, 1 = positive" in labels
    assert sequence == (
        "A sequence is chosen by its number, 0 to 1, not by 'b'. Sequence 1 has that id."
    )


def test_info_is_legible_on_a_narrow_terminal(monkeypatch, rra_store):
    done = run("info", rra_store, COLUMNS="80")

    header, *rows = done.stdout.split("\n\n")[-1].splitlines()
    assert "more" not in rows[-1]  # all are listed
    assert header.split() == ["sequence", "id", "length", "label", "predicted", "text"]
    assert len(rows) == 2
    for row in rows:
        assert len(row.rstrip()) <= 80
        assert row.rstrip().endswith("…")
        assert "I went" in row


def test_info_says_how_many_sequences_it_does_not_list(monkeypatch, capsys, tmp_path):
    made = traces.rra().tree
    many = made.isel(sequence=[0, 1, 0, 1, 0, 1, 0], missing_dims="ignore")
    names = ("sequence", [f"n{number}" for number in range(7)])
    many.dataset = many.to_dataset().assign(id=names)
    trace = attnviz.save_trace(attnviz.Trace(many), tmp_path / "many.zarr")
    _, said, _ = called(monkeypatch, capsys, "info", trace)
    assert said.splitlines()[-1] == "and 2 more"


def test_the_keyboard_stops_a_command_with_a_word(monkeypatch, capsys, tmp_path):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("attnviz.pretrained.load_model", stopped)
    record = ("record", "gru-imdb", "--text", "fine", "-o", tmp_path / "t.zarr")

    status, _, error = called(monkeypatch, capsys, *record)

    assert status == 130
    assert "What was finished is kept" in error


@pytest.mark.slow
def test_the_demo_draws_every_kind_and_replaces_its_own_traces(monkeypatch, capsys, tmp_path):
    foreign = traces.rra()
    attnviz.save_trace(foreign, tmp_path / "out" / "traces" / "gru-imdb.zarr")

    status, output, error = called(monkeypatch, capsys, "demo", "-o", tmp_path / "out")

    assert status == 0, error
    names = {path.name for path in (tmp_path / "out").iterdir()}
    for cell in ("rra", "larnn"):
        for kind in ("heatmap", "contribution", "lag-kernel"):
            assert {f"{cell}-{kind}.pdf", f"{cell}-{kind}.png"} <= names
    for cell in ("rau", "lstm", "gru"):
        assert f"{cell}-gate-attention.pdf" in names
    assert {"rau-feature-attention.pdf", "rra-text.png"} <= names
    assert output.count(".pdf") == sum(name.endswith(".pdf") for name in names)
    trace = attnviz.open_trace(tmp_path / "out" / "traces" / "gru-imdb.zarr")
    assert trace.tree.attrs["model"] == "gru-imdb"
    for name in ("larnn-heatmap.png", "rra-lag-kernel.pdf", "rra-text.pdf"):
        drawn = tmp_path / "out" / name
        before = drawn.read_bytes()
        again = json.loads(called(monkeypatch, capsys, "info", drawn, "--json")[1])["again"]
        drawn.unlink()
        assert called(monkeypatch, capsys, *shlex.split(again)[1:])[0] == 0
        assert drawn.read_bytes() == before


def test_a_trace_that_was_cut_short_is_a_fault(monkeypatch, capsys, tmp_path, rra_store):
    assert called(monkeypatch, capsys, "info", rra_store)[0] == 0
    held = (rra_store / "l0" / "contribution" / "c").rglob("*")
    chunk = next(path for path in held if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-9])

    for more in ((), ("--json",)):
        status, said, error = called(monkeypatch, capsys, "info", rra_store, *more)
        assert status == 1 and "contribution" in said
        assert "l0/contribution of" in error and "is damaged and cannot be read" in error
    status, _, error = called(monkeypatch, capsys, "plot", rra_store, "-o", tmp_path / "all")
    assert status == 1 and "figures could not be drawn" in error
    assert "damaged: contribution" in " ".join(error.split())
    assert (tmp_path / "all" / "heatmap.pdf").is_file()


@pytest.mark.parametrize("end", ["y.pdf", "y/z.pdf"])
def test_a_file_that_cannot_be_written_is_said_in_words(monkeypatch, capsys, tmp_path, end):
    trace = attnviz.save_trace(traces.rra(), tmp_path / "rra.zarr")
    afile = tmp_path / "afile"
    afile.write_text("")
    kinds = ("--kind", "heatmap")
    status, _, error = called(monkeypatch, capsys, "plot", trace, *kinds, "-o", afile / end)
    assert status == 1 and f"{afile} is a file, no folder." in " ".join(error.split())
    status, _, error = called(monkeypatch, capsys, "report", trace, "-o", afile / "x.html")
    assert status == 1 and f"{afile} is a file, no folder." in " ".join(error.split())
    status, _, error = called(monkeypatch, capsys, "plot", trace, *kinds, "-o", "/proc/y.pdf")
    assert status == 1 and "Cannot write to /proc: " in error and "Errno" not in error


def test_what_the_system_refuses_is_told_without_its_number(capsys):
    with pytest.raises(OSError) as caught:
        Path("/nowhere/x").open()
    explain(caught.value)
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("attnviz: The system refuses /nowhere/x: no such file or directory.")


def test_a_path_with_brackets_and_blanks_is_said_as_it_is_and_can_be_typed_again(
    monkeypatch, capsys, tmp_path
):
    path = tmp_path / "my [bold] [/traces]" / "a [red]one.zarr"
    path.parent.mkdir(parents=True)
    recorded = ("record", "rra-imdb", "--text", "a fine film", "-o", path)
    status, said, error = called(monkeypatch, capsys, *recorded)
    assert status == 0, error
    assert f"in {path}." in said
    suggested = said[said.index("Next: ") :].removeprefix("Next: ").split(", or ")[0]
    _, *words = shlex.split(suggested)
    status, said, error = called(monkeypatch, capsys, *words)
    assert status == 0, error
    assert "my [bold] [/traces]" in said and "[red]one.zarr" in said  # a long path may be folded
