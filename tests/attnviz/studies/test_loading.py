"""The task of a study: what its options have to be, and that there is something to score."""

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from attnviz.studies import load_study_task, loading, parse_study
from attnviz.tasks import GeneratedTask, LanguageSplit, LanguageTask, NumberSplit
from tests.attnviz.studies.small import written_table

TABLE = 'name = "table"\npath = "a.csv"\ntext = "t"\nlabel = "l"\n'


def study(task, score="accuracy"):
    text = (
        f'cells = ["gru"]\nscore = "{score}"\ntrials.count = 0\nfinal.seeds = [0]\n[task]\n{task}'
    )
    return parse_study(text, name="mine", where="mine.toml")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ('name = "adding"\nlength = "100"', "length of the task adding .* number, got '100'"),
        ('name = "adding"\nepoch_size = 12.5', "epoch_size of .* a whole number, got 12.5"),
        ('name = "adding"\nheld_out = true', "held_out of .* a whole number, got True"),
        ('name = "har"\nfold = 1.0', "fold of the task har has to be a whole number, got 1.0"),
        ('name = "row-mnist"\nheld_out = [5]', r"held_out of .* a whole number, got \[5\]"),
        ('name = "imdb"\nvalidation_share = "10 %"', "validation_share .* a number, got '10 %'"),
        (TABLE.replace('"a.csv"', "{a = 1}"), "path of the task table has to be a text, got {'a'"),
        (TABLE + "group = 3", "group of the task table has to be a text or 'none', got 3"),
    ],
)
def test_an_option_of_another_type_is_refused_before_anything_is_read(task, said):
    with pytest.raises(ValueError, match=f"^mine: the option {said}"):
        load_study_task(study(task))


def test_options_that_are_needed_are_asked_for():
    needed = r"^mine: the task table needs text \(a text\), label \(a text\), but \[task\] has path"
    with pytest.raises(ValueError, match=needed):
        load_study_task(study('name = "table"\npath = "a.csv"'))
    with pytest.raises(ValueError, match=r"needs path \(a text\), .* but \[task\] has only its na"):
        load_study_task(study('name = "table"'))


def words(
    data: "Path | str | None" = None, *, order: "str", side: "Literal['a', 'b']" = "a",
    share: "float | None" = None,
) -> "LanguageTask":  # fmt: skip
    """A loader whose annotations are texts, one word repeated in each split."""
    splits = {name: LanguageSplit(np.zeros(3, np.int32)) for name in ("validation", "test")}
    return LanguageTask("words", ("w",), splits, {"order": order, "side": side, "share": share})


def test_annotations_are_read_behind_what_is_fixed_and_as_texts(monkeypatch):
    monkeypatch.setitem(loading.TASKS, "words", partial(words, order="up"))
    task = load_study_task(study('name = "words"\nside = "b"\nshare = 0.5', "perplexity"))
    assert task.provenance == {"order": "up", "side": "b", "share": 0.5}
    for option, said in (
        ('side = "c"', "'a' or 'b', got 'c'"), ('share = "x"', "a number or 'none', got"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"has to be {said}"):
            load_study_task(study(f'name = "words"\n{option}', "perplexity"))
    with pytest.raises(ValueError, match="has no order; its options are side, share"):
        load_study_task(study('name = "words"\norder = "down"', "perplexity"))


@pytest.mark.parametrize(
    ("shares", "empty"),
    [((0.3, 0.0), "test"), ((0.0, 0.3), "validation"), ((0.0, 0.0), "validation and test")],
)
def test_a_task_with_nothing_to_score_is_refused_before_training(tmp_path, shares, empty):
    path = tmp_path / "a.csv"
    path.write_text("t,l\n" + "".join(f"word {row},{row % 2}\n" for row in range(20)))
    task = TABLE.replace("a.csv", str(path))
    assert len(load_study_task(study(task)).splits["test"]) == 2
    task += "validation_share = {}\ntest_share = {}\n".format(*shares)
    said = f"^mine: the task table has nothing for {empty}, but .* which are path, text, label, id"
    with pytest.raises(ValueError, match=said):
        load_study_task(study(task))


def drawn(held_out: int = 0) -> GeneratedTask:
    """A generated task, which has no split to train on."""
    split = NumberSplit(np.zeros((held_out, 2, 1)), np.zeros((held_out, 1)))
    return GeneratedTask(
        "drawn", lambda count, random: split, {"validation": split, "test": split}, ("sum",), 4,
        1.0, 0.5, {},
    )  # fmt: skip


def test_of_a_generated_task_validation_and_test_are_looked_at(monkeypatch):
    monkeypatch.setitem(loading.TASKS, "drawn", drawn)
    assert load_study_task(study('name = "drawn"\nheld_out = 1', "loss")).name == "drawn"
    with pytest.raises(ValueError, match="drawn has nothing for validation and test"):
        load_study_task(study('name = "drawn"', "loss"))


def test_none_is_said_in_words(tmp_path):
    path = written_table(tmp_path / "mine.csv")
    given = f'name = "table"\npath = "{path}"\ntext = "review"\nlabel = "mood"\ntest_share = 0.2\n'
    # As a name it would be that of a column, which is not there.
    assert len(load_study_task(study(given + 'id = "none"')).splits["test"]) == 12
