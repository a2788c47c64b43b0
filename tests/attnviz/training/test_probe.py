"""Probes during training: what they hold, and that neither they nor the training feel a thing."""

import copy
import dataclasses
import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback

import attnviz
from attnviz.store import probe_writer
from attnviz.store.probes import open_probes
from attnviz.training import checks, train
from attnviz.training.probe import Probe
from attnviz.training.probing import probe_set, snapshot
from tests.attnviz.cli.shell import environment
from tests.attnviz.training.runs import KilledError, after, result
from tests.attnviz.training.test_checks import RECIPE, task
from tests.attnviz.training.tiny import (
    language_recipe,
    language_task,
    number_recipe,
    number_task,
    tiny_recipe,
    tiny_task,
)

STEPS = (1, 3, 4, 5, 7, 8, 10, 12, 14, 15)  # of 15, in epochs of 5


class Copies(Callback):
    """Keeps the model of every step."""

    def __init__(self):
        self.models, self.step = {}, 0

    def on_train_start(self, trainer, pl_module):
        self.models[0] = copy.deepcopy(pl_module.model).eval()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.step += 1
        self.models[self.step] = copy.deepcopy(pl_module.model).eval()


class Noisy(Probe):
    """Whose model answers by chance, while it is probed."""

    def _probe(self, model, step, seed):
        handle = model.register_forward_hook(draw)
        super()._probe(model, step, seed)
        handle.remove()


def draw(model, inputs, output):
    return output + torch.rand_like(output) + random.random()


def files(folder):
    """Every file of a store."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def probed(recipe, task, folder, **options):
    train(recipe, task, folder, callbacks=[Probe(folder / "p.zarr", **{"every": 4, **options})])
    return open_probes(folder / "p.zarr")


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        (4, [0, 4, 8, 12, 16, 20, 21]),
        (7, [0, 7, 14, 21]),
        (10, [0, 10, 20, 21]),
        (1000, [0, 21]),
    ],
)
def test_there_is_a_probe_at_the_start_every_so_many_iterations_and_at_the_end(
    tmp_path, every, steps
):
    found = probed(RECIPE, task(), tmp_path, every=every, sequences=3)
    assert found["step"].values.tolist() == steps


def test_a_probe_of_rra_is_its_kernel_its_norm_and_what_it_says(tmp_path):
    copies, recipe, made = Copies(), number_recipe("rra"), number_task()
    probe = Probe(tmp_path / "p.zarr", every=6, sequences=7)
    train(recipe, made, tmp_path / "run", callbacks=[copies, probe])
    found = open_probes(tmp_path / "p.zarr")

    held = made.splits["validation"]
    rows = [row * 23 // 7 for row in range(7)]
    features, labels = torch.from_numpy(held.features(rows)), torch.from_numpy(held.labels[rows])
    assert found["id"].values.tolist() == [held.ids[row] for row in rows]
    assert found["label"].values.tolist() == labels.tolist()
    assert found["step"].values.tolist() == [0, 6, 12, 15]
    for step in (0, 6, 12, 15):
        model, one = copies.models[step], found.sel(step=step)
        (cell,) = model.layer.groups.values()
        scores = cell.lag_scores.detach().numpy().astype(float)
        kernel = one["l0/lag_kernel"].values
        np.testing.assert_allclose(kernel, (scores / scores.sum())[None], rtol=1e-6)
        assert float(one["l0/lag_score_norm"]) == pytest.approx(math.hypot(*scores), rel=1e-6)
        with torch.no_grad():
            said = model(features)
        np.testing.assert_allclose(one["prediction"].values, said.numpy(), rtol=1e-5, atol=1e-6)
        loss = -said.log_softmax(-1)[torch.arange(7), labels]
        np.testing.assert_allclose(one["loss"].values, loss.numpy(), rtol=1e-5)
    assert len({tuple(row) for row in found["l0/lag_kernel"].values[:, 0].tolist()}) == 4
    assert "attention" not in found["l0"]  # it would be the kernel again


def test_a_probe_of_attention_is_the_mean_where_every_lag_is_reachable(tmp_path):
    copies, recipe, made = Copies(), number_recipe("larnn"), number_task()
    probe = Probe(tmp_path / "p.zarr", every=15, sequences=7, keep=("attention", "input_gate"))
    train(recipe, made, tmp_path / "run", callbacks=[copies, probe])
    found = open_probes(tmp_path / "p.zarr")["l0"]

    held = made.splits["validation"]
    features = torch.from_numpy(held.features([row * 23 // 7 for row in range(7)]))
    for step in (0, 15):
        with torch.no_grad(), attnviz.record(copies.models[step], ["attention", "input_gate"]) as r:
            copies.models[step](features)
        weights = attnviz.signal(r.trace, "attention").values  # of 5 timesteps, up to 3 back
        each = weights[:, 3:].mean(axis=1)
        one = found.sel(step=step)
        np.testing.assert_allclose(one["attention"].values, each.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(
            one["attention_spread"].values, each.std(axis=0, ddof=1), rtol=1e-3, atol=1e-7
        )
        gate = attnviz.signal(r.trace, "input_gate").values
        np.testing.assert_allclose(
            one["input_gate"].values, gate.mean(axis=(0, 1)), rtol=1e-5, atol=1e-6
        )
    assert "contribution" not in found


def test_whole_signals_have_every_sequence_and_end_with_it(tmp_path):
    recipe, made = tiny_recipe("larnn"), tiny_task()
    found = probed(recipe, made, tmp_path, keep=["attention"], whole=True, sequences=9)
    attention = found["l0/attention"]
    assert attention.dims == ("step", "sequence", "time", "head", "lag")
    lengths = found["length"].values
    assert attention.shape[1:3] == (9, lengths.max()) and len(set(lengths)) > 2
    inside = np.arange(lengths.max()) < lengths[:, None]
    assert np.isfinite(attention.values[:, inside]).all()
    assert np.isnan(attention.values[:, ~inside]).all()


def test_of_a_running_text_pieces_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("attnviz.training.probing.PIECE", 12)
    found = probed(language_recipe("rra"), language_task(), tmp_path, sequences=3)
    assert found["id"].values.tolist() == ["validation/0", "validation/12", "validation/24"]
    assert "prediction" not in found and found["loss"].shape == (4, 3)
    assert {*found.children} == {"l0", "l1"}
    copies = Copies()
    train(language_recipe("rra"), language_task(), tmp_path / "again", callbacks=[copies])
    ids = torch.from_numpy(language_task().splits["validation"].ids.astype(np.int64))
    with torch.no_grad():
        said = copies.models[12](ids[12:24][None])[0].log_softmax(-1)
    expected = -float(said[torch.arange(12), ids[13:25]].mean())
    assert float(found["loss"][-1, 1]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("recipe", "made"),
    [
        (tiny_recipe("larnn"), tiny_task()),
        (number_recipe("rra"), number_task()),
        (language_recipe("gru"), language_task()),
    ],
    ids=["texts", "numbers", "language"],
)
def test_the_training_is_the_same_with_and_without_probes(tmp_path, recipe, made):
    sys.argv[1:], before = [], sys.argv[1:]  # the card holds the command
    train(recipe, made, tmp_path / "plain")
    probe = Noisy(tmp_path / "p.zarr", every=2, sequences=9)
    train(recipe, made, tmp_path / "probed", callbacks=[probe])
    sys.argv[1:] = before
    assert len(open_probes(tmp_path / "p.zarr")["step"]) > 6
    assert result(tmp_path / "plain") == result(tmp_path / "probed")


def test_wherever_a_run_ends_its_probes_go_on_to_the_same(tmp_path):
    recipe, made, options = number_recipe("larnn"), number_task(), {"every": 4, "sequences": 5}
    train(recipe, made, tmp_path / "whole", callbacks=[Noisy(tmp_path / "whole.zarr", **options)])
    expected = files(tmp_path / "whole.zarr")

    for step in STEPS:
        folder, store = tmp_path / str(step), tmp_path / f"{step}.zarr"
        with pytest.raises(KilledError):
            train(
                recipe, made, folder, checkpoint_every=3, progress=after(step),
                callbacks=[Noisy(store, **options)],
            )  # fmt: skip
        there = open_probes(store)["step"].values.tolist()
        ends = [at for at in (5, 10) if at < step]  # probed with the validation, after the step
        assert there[-1] == max([at for at in (0, 4, 8, 12, 15) if at <= step] + ends)
        train(recipe, made, folder, callbacks=[Noisy(store, **options)])
        assert files(store) == expected, step


def test_killed_within_a_probe_the_step_is_not_there_and_is_made_again(tmp_path, monkeypatch):
    recipe, made, options = number_recipe("rra"), number_task(), {"every": 4, "sequences": 5}
    train(recipe, made, tmp_path / "whole", callbacks=[Probe(tmp_path / "whole.zarr", **options)])
    expected = files(tmp_path / "whole.zarr")
    put = probe_writer.ProbeWriter._put
    puts = sum(1 for name in expected if name.endswith("/c/1") or "/c/1/" in name)
    assert puts >= 6

    for stop in range(1, puts + 1):  # of the second probe, the last of them is the commit
        done, store = [0], tmp_path / f"{stop}.zarr"

        def count(self, key, row, values, done=done, stop=stop):
            done[0] += row == 1
            if done[0] == stop:
                raise KilledError
            put(self, key, row, values)

        with monkeypatch.context() as patched, pytest.raises(KilledError):
            patched.setattr(probe_writer.ProbeWriter, "_put", count)
            train(
                recipe, made, tmp_path / str(stop), checkpoint_every=3,
                callbacks=[Probe(store, **options)],
            )  # fmt: skip
        assert open_probes(store)["step"].values.tolist() == [0]
        train(recipe, made, tmp_path / str(stop), callbacks=[Probe(store, **options)])
        assert files(store) == expected, stop


def test_killed_by_a_signal_too(tmp_path):
    script = (
        "import sys; from pathlib import Path;"
        "from tests.attnviz.training.test_probe import *;"
        "folder = Path(sys.argv[1]);"
        "train(RECIPE, task(), folder, checkpoint_every=2,"
        "callbacks=[Probe(folder / 'p.zarr', every=3, sequences=4)],"
        "progress=lambda done, total: print(done, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "killed")], env=environment(),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    while int(process.stdout.readline()) < 8:
        pass
    process.kill()
    process.communicate()
    for name in ("killed", "whole"):
        made = Probe(tmp_path / name / "p.zarr", every=3, sequences=4)
        train(RECIPE, task(), tmp_path / name, callbacks=[made])
    assert files(tmp_path / "killed/p.zarr") == files(tmp_path / "whole/p.zarr")


def test_a_training_that_ends_early_has_its_end_probed_even_if_killed_right_then(tmp_path):
    def callbacks(folder):
        solved = checks.SolvedChecks(
            task(100.0), folder / "checks.csv", seed=3, every=3, sequences=5, stop=True
        )  # passed at steps 3, 6, 9: it ends with the second epoch, at 14
        return [solved, Probe(folder / "p.zarr", every=10, sequences=4)]

    def die(row):
        if row["step"] == 14:
            raise KilledError

    train(RECIPE, task(100.0), tmp_path / "whole", callbacks=callbacks(tmp_path / "whole"))
    with pytest.raises(KilledError):  # when the checkpoint is written, and the end is not told yet
        train(
            RECIPE, task(100.0), tmp_path / "killed", report=die,
            callbacks=callbacks(tmp_path / "killed"),
        )  # fmt: skip
    for _ in range(2):
        train(RECIPE, task(100.0), tmp_path / "killed", callbacks=callbacks(tmp_path / "killed"))
        found = open_probes(tmp_path / "killed/p.zarr")
        assert found["step"].values.tolist() == [0, 10, 14]
        assert files(tmp_path / "killed/p.zarr") == files(tmp_path / "whole/p.zarr")


def test_the_probed_examples_are_spread_over_a_split_that_may_be_sorted():
    recipe, made = tiny_recipe("gru"), tiny_task()
    order = np.argsort(made.splits["validation"].labels, kind="stable")
    splits = {**made.splits, "validation": made.splits["validation"].select(order)}
    made = dataclasses.replace(made, splits=splits)
    model = attnviz.build_model(recipe.model)
    model.vocabulary = attnviz.text.Vocabulary.build(["good bad"], size=20, minimum_count=1)
    assert set(probe_set(made, model, recipe, 6).targets.tolist()) == {0, 1}
    assert len(probe_set(made, model, recipe, 1000).ids) == 23


def test_gradients_and_modes_of_a_model_stay_as_they_were():
    recipe, made = number_recipe("larnn"), number_task()
    torch.manual_seed(0)
    model = attnviz.build_model(recipe.model).train()
    model.head.eval()
    before = copy.deepcopy(model.state_dict())
    some = probe_set(made, model, recipe, 70)
    assert len(some.ids) == 23
    state = torch.get_rng_state()
    first = snapshot(model, some, keep=None, whole=False, seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training and not model.head.training
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())
    assert first.identical(snapshot(model, some, keep=None, whole=False, seed=5))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"every": 5}, ValueError, "holds other probes: every is 5 but was 4"),
        ({"sequences": 6}, ValueError, "sequences is 6 but was 5"),
        ({"whole": True}, ValueError, "kept is .*whole.* true"),
    ],
)
def test_only_the_same_probes_are_gone_on_with(tmp_path, change, error, message):
    recipe, made = number_recipe("rra"), number_task()
    with pytest.raises(KilledError):
        train(
            recipe, made, tmp_path / "run", progress=after(9),
            callbacks=[Probe(tmp_path / "p.zarr", every=4, sequences=5)],
        )  # fmt: skip
    before = files(tmp_path / "p.zarr")
    other = Probe(tmp_path / "p.zarr", **{"every": 4, "sequences": 5, **change})
    with pytest.raises(error, match=message):
        train(recipe, made, tmp_path / "run", callbacks=[other])
    assert files(tmp_path / "p.zarr") == before


def test_what_cannot_be_probed_is_refused(tmp_path):
    recipe, made = number_recipe("gru"), number_task()
    with pytest.raises(ValueError, match="got 64 sequences every 0"):
        Probe(tmp_path / "p.zarr", every=0)
    with pytest.raises(KeyError, match=r"has no signal \['lag_kernel'\]; it has .*update_gate"):
        train(recipe, made, tmp_path, callbacks=[Probe(tmp_path / "p.zarr", keep=["lag_kernel"])])
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds no probes to go on with"):
        train(recipe, made, tmp_path, callbacks=[Probe(tmp_path / "own")])
    assert files(tmp_path / "own") == {"notes.txt": b"mine"}


@pytest.mark.slow
def test_of_several_processes_the_first_probes(tmp_path):
    script = tmp_path / "shared.py"
    script.write_text(
        "import dataclasses, sys\n"
        "from pathlib import Path\n"
        "from attnviz.training import train\n"
        "from attnviz.training.probe import Probe\n"
        "from tests.attnviz.training.tiny import number_recipe, number_task\n"
        "folder = Path(sys.argv[1])\n"
        "made = number_recipe('rra', devices=2, epochs=1)\n"
        "train(made, number_task(), folder, callbacks=[Probe(folder / 'p.zarr', every=3)])\n"
    )
    command = [sys.executable, script, tmp_path / "run"]
    found = environment(PYTHONPATH=str(Path(__file__).parents[3]))
    subprocess.run(command, env=found, check=True, timeout=300, capture_output=True)
    assert open_probes(tmp_path / "run/p.zarr")["step"].values.tolist() == [0, 3, 5]
