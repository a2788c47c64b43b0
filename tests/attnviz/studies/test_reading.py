"""Study files: what is read, and what each mistake says."""

import pytest

from attnviz.studies import parse_study, read_study
from attnviz.studies.study import Checks, Question, Space
from tests.attnviz.studies.small import TEXT, small


def test_everything_in_the_file_is_read():
    study, _ = small()
    assert study.name == "small"
    assert study.cells == ("rra", "lstm", "gru")
    assert study.task == ("adding", {"length": 5, "epoch_size": 48, "held_out": 30})
    assert study.base == {"batch_size": 8, "epochs": 3, "model.hidden_size": 6}
    assert study.own == {"rra": {"model.options.window": 2}}
    assert study.search["learning_rate"] == Space(log_uniform=(1e-3, 5e-2))
    biases = Space(choice=(0.0, 1.0, {"chrono": 5}))
    assert study.space("lstm")["model.options.forget_bias"] == biases
    assert "model.options.forget_bias" not in study.space("gru")
    assert (study.trials.count, study.trials.seed, study.trials.recipe) == (2, 7, {"epochs": 2})
    assert (study.final.seeds, study.final.recipe) == ((0, 1), {})
    assert study.sizes.equal == ("hidden", "parameters")
    assert study.checks == Checks(4, 20, 3, ("trials",))
    assert study.questions == (
        Question("Does RRA solve it sooner than the LSTM?", "better", ("rra", "lstm"),
                 "iterations", 1.0, "hidden"),
    )  # fmt: skip


def test_names_can_be_written_dotted_in_quotes_or_as_tables():
    quoted = TEXT.replace("model.options.window = 2", '"model.options.window" = 2')
    nested = TEXT.replace("model.options.window = 2", "model = {options = {window = 2}}")
    assert parse_study(quoted, name="a", where="").own == small()[0].own
    assert parse_study(nested, name="a", where="").own == small()[0].own


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cells = [", "cells = ['lstm', 'xlstm', ", "cells can be rra, .*got 'xlstm'"),
        ("cells = [", "cells = ['lstm', ", "cells holds something twice"),
        ('cells = ["rra", "lstm", "gru"]', "cells = []", "cells is empty"),
        ('score = "loss"', 'score = "f1"', "score can be accuracy, loss, perplexity, got 'f1'"),
        ('score = "loss"', "score = 3", "score has to be a text, got 3"),
        ('score = "loss"', "", "score is missing; it is a text"),
        ('score = "loss"', 'score = "loss"\nlucky = 3', "lucky at the top means nothing"),
        ("count = 2", "count = 0", "trials.count has to be at least 1, got 0"),
        ("count = 2", "count = 2.5", "trials.count has to be a whole number, got 2.5"),
        ("count = 2", "count = true", "trials.count has to be a whole number, got True"),
        ("count = 2", "", "trials.count is missing"),
        ("seeds = [0, 1]", "seeds = []", "final.seeds has to be whole numbers"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "final.seeds holds something twice"),
        ("seeds = [0, 1]", "seeds = [0, -1]", "final.seeds has to be whole numbers"),
        ("seeds = [0, 1]", "seeds = [0, 1]\nseed = 3", r"seed in \[final\] means nothing"),
        ("{choice = [0.0, 0.1]}", "{choice = []}", "model.dropout needs {choice"),
        ("{choice = [0.0, 0.1]}", "0.1", "model.dropout needs {choice .* got 0.1"),
        ("{choice = [0.0, 0.1]}", "{choice = [0.0], low = 1}", "model.dropout needs {choice"),
        ("[1e-3, 5e-2]", "[0, 5e-2]", "learning_rate needs 0 < low < high, got 0 and 0.05"),
        ("[1e-3, 5e-2]", "[5e-2, 1e-3]", "learning_rate needs 0 < low < high"),
        ("epochs = 3", "epochs = 3\nlearning_rate = 0.1", "learning_rate of rra is both set and"),
        ("[search]", "[search]\nseed = {choice = [1]}", "seed cannot be searched"),
        ("[search.rra]", "[search.rra]\nlearning_rate = {choice = [1.0]}",
         "learning_rate is searched for every cell, and once more for rra"),
        ("seed = 7", "seed = -1", "trials.seed has to be a whole number from 0, got -1"),
        ("seed = 7", "seed = 1", r"final.seeds: trials are trained with \[1\] too"),
        ("seed = 7", "seeds = [9, 0]", r"final.seeds: trials are trained with \[0\] too"),
        ('"parameters"]', '"flops"]', "sizes.equal can be hidden, parameters, got 'flops'"),
        ('"parameters"]', '"parameters"]\nreference = "rau"', "sizes.reference is rau, but the"),
        ("every = 4", "every = 0", "checks.every has to be at least 1"),
        ("every = 4", 'stop = ["tests"]', "checks.stop can be trials, final, got 'tests'"),
        ('["rra", "lstm"]', '["rra"]', "a question whether something 'better' is of 2"),
        ('["rra", "lstm"]', '["rra", "rau"]', "question.cells can be rra, lstm, gru, got 'rau'"),
        ('"better"', '"at least"', "of iterations it can be asked which cell is 'better'"),
        ("margin = 1.0", "margin = 0.5", "question.margin has to be at least 1"),
        ("margin = 1.0", 'size = "x"', "question.size can be hidden, parameters, got 'x'"),
        ("[checks]\nevery = 4\nsequences = 20", "", r"iterations, but there are no \[checks\]"),
        ('text = "Does', 'texts = "Does', "question.text is missing"),
        ("[task]", "[task", "is not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(old, new, said):
    assert TEXT.count(old) >= 1
    with pytest.raises(ValueError, match=rf"small\.toml.*{said}"):
        small(TEXT.replace(old, new, 1))


def test_more_than_six_questions_are_too_many():
    question = TEXT[TEXT.index("[[question]]") :]
    assert len(small(TEXT + 5 * question)[0].questions) == 6
    with pytest.raises(ValueError, match="7 questions are asked; at most 6"):
        small(TEXT + 6 * question)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no study at"):
        read_study(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "adding"', 'name = "subtracting"', "no task 'subtracting'; there are adding, har"),
        ("length = 5", "width = 5", "the task adding has no width; its options are length, epoch"),
        ('score = "loss"', 'score = "accuracy"', "adding is scored by loss, not by accuracy"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(old, new, said):
    with pytest.raises(ValueError, match=said):
        small(TEXT.replace(old, new))


def test_a_file_that_is_not_text_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes('about = "Größe"'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"mine\.toml is not text in UTF-8.* Save it as UTF-8"):
        read_study(path)
