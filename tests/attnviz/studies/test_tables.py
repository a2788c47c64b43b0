"""Tables and answers, by hand."""

import dataclasses
import math
import statistics
from pathlib import Path

import pytest

from attnviz.studies import draw_trials, open_results, read_study, update_results
from attnviz.studies.answers import answer, paired_interval
from attnviz.studies.final_table import iterations
from attnviz.studies.published import published
from attnviz.studies.study import Final, Question, Trials
from attnviz.studies.summary import summary_of
from attnviz.studies.tables import BEGIN, END, put_between, study_section, tables_of
from tests.attnviz.studies.made import finals, record, run_folders, study
from tests.attnviz.studies.small import TEXT as SMALL
from tests.attnviz.studies.small import small

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "notebooks" / "results"
RRA, LSTM = [0.91, 0.93, 0.92, 0.96], [0.90, 0.90, 0.91, 0.91]
T3 = 3.182446  # the 97.5 % point of Student's t with three degrees of freedom, from a table


def asked(claim="better", margin=0.005, cells=("rra", "lstm"), **more):
    return Question("Is it?", claim, cells, margin=margin, **more)


def answered(question, *records, score="accuracy", name="made"):
    found = {one.job: one for several in records for one in several}
    return answer(study(score, name=name), question, found)


def test_the_interval_is_students():
    differences = [0.01, 0.03, 0.01, 0.05]
    mean, low, high = paired_interval(differences)
    reach = T3 * statistics.stdev(differences) / 2
    assert mean == pytest.approx(0.025)
    assert (low, high) == pytest.approx((0.025 - reach, 0.025 + reach), rel=1e-6)


@pytest.mark.parametrize(
    ("claim", "margin", "verdict"),
    [
        # the advantage is 0.025, its interval from -0.0055 to 0.0555
        ("better", 0.005, "not decided"),
        ("better", 0.06, "no"),
        ("at least", 0.005, "not decided"),
        ("at least", 0.006, "yes"),
    ],
)
def test_a_question_is_answered_by_its_margin(claim, margin, verdict):
    found = answered(asked(claim, margin), finals("rra", RRA), finals("lstm", LSTM))
    assert found.verdict == verdict
    assert found.advantage == pytest.approx(0.025)
    assert found.low == pytest.approx(-0.005469, abs=1e-5)
    assert found.seeds == 4


def test_a_smaller_loss_is_better():
    found = answered(
        asked("better", 1.0),
        finals("rra", [7.0, 6.0, 5.0, 7.0]), finals("lstm", [9.0, 9.0, 8.0, 9.0]),
        score="perplexity",
    )  # fmt: skip
    assert found.advantage == 2.5
    assert found.verdict == "yes"  # 2.5 ± 3.18 * 0.577 / 2 = 1.58 to 3.42


def test_differences_are_of_the_same_seed():
    wide = [0.5, 0.6, 0.7, 0.8]
    found = answered(
        asked("better", 0.005), finals("rra", [one + 0.01 for one in wide]), finals("lstm", wide)
    )
    assert found.verdict == "yes"
    assert found.high - found.low < 1e-9


def test_a_question_waits_for_every_seed():
    for ran in range(4):
        found = answered(asked(), finals("rra", RRA), finals("lstm", LSTM[:ran]))
        assert (found.verdict, found.advantage, found.seeds) == ("not run", None, ran)
    apart = answered(asked(), finals("rra", RRA)[1:], finals("lstm", LSTM)[:3])
    assert (apart.verdict, apart.seeds) == ("not run", 2)
    assert answered(asked(), finals("rra", RRA), finals("lstm", LSTM)).verdict != "not run"


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_fewer_than_three_seeds_answer_nothing(seeds):
    few = dataclasses.replace(study(), final=Final(tuple(range(seeds)), {}))
    records = [*finals("rra", RRA[:seeds]), *finals("lstm", LSTM[:seeds])]
    found = answer(few, asked(), {one.job: one for one in records})
    assert (found.verdict == "not run") == (seeds < 3)


def test_a_run_that_diverged_leaves_it_undecided():
    broken = record("rra", 3, None, status="diverged", validation=0.1)
    found = answered(asked(), [*finals("rra", RRA[:3]), broken], finals("lstm", LSTM))
    assert (found.verdict, found.advantage) == ("not decided", None)
    text = study_section(
        study(more=QUESTION), [*finals("rra", RRA[:3]), broken, *finals("lstm", LSTM)]
    )
    assert "**Is it?** Not decided (margin 0.5 points): a run diverged." in text
    # the mean of the other three, of both splits
    assert "| RRA | 8 | 1,234 | 4, 1 diverged | 92.00 ± 1.00 % | 50.00 ± 0.00 % |" in text
    assert "No mean counts the runs that diverged, which is in favour of their cells." in text


def test_a_published_number_is_reached_or_not():
    question = asked("reaches", 0.005, ("rau",))
    near = finals("rau", [0.987, 0.988, 0.989, 0.988])
    assert answered(question, near, name="row-mnist").verdict == "yes"
    assert answered(question, near, name="row-mnist").advantage == pytest.approx(0.0)
    far = finals("rau", [0.97, 0.971, 0.97, 0.971])
    assert answered(question, far, name="row-mnist").verdict == "no"
    with pytest.raises(ValueError, match="none is known"):
        answered(question, near)


def speeds(cell, several):
    return [record(cell, seed, 0.1, reached=one) for seed, one in enumerate(several)]


def test_iterations_are_compared_as_factors():
    question = asked("better", 1.0, measure="iterations")
    found = answered(
        question, speeds("rra", ["100", "200", "400", "100"]),
        speeds("lstm", ["200", "400", "800", "400"]), score="loss",
    )  # fmt: skip
    logs = [math.log(2)] * 3 + [math.log(4)]
    reach = T3 * statistics.stdev(logs) / 2
    middle = statistics.fmean(logs)
    assert found.advantage == pytest.approx(math.exp(middle))
    assert (found.low, found.high) == pytest.approx(
        (math.exp(middle - reach), math.exp(middle + reach)), rel=1e-6
    )
    assert found.verdict == "yes"


@pytest.mark.parametrize(
    ("rra", "lstm", "verdict"),
    [
        (["100", "110", "120", "100"], [">900", ">900", "800", ">900"], "yes"),
        (["800", ">900", ">900", ">900"], ["100", "110", "120", "100"], "no"),
        ([">900", "110", "120", "100"], ["800", "850", "800", "850"], "not decided"),
        ([">900", ">900", "900", ">900"], ["900", ">900", ">900", ">900"], "not decided"),
    ],
)
def test_what_was_not_solved_takes_longer_than_it_had(rra, lstm, verdict):
    question = asked("better", 1.0, measure="iterations")
    found = answered(question, speeds("rra", rra), speeds("lstm", lstm), score="loss")
    assert found.verdict == verdict
    assert found.advantage is None
    assert found.censored == sum(one.startswith(">") for one in rra + lstm)


def test_iterations_are_known_to_within_a_check():
    question = asked("better", 1.0, measure="iterations")
    records = [*speeds("rra", ["400"] * 4), *speeds("lstm", ["500"] * 4)]
    found = {one.job: one for one in records}
    for every, low, high, verdict in (
        (10, 490 / 400, 500 / 390, "yes"),
        (100, 400 / 400, 500 / 300, "not decided"),
    ):
        checked = study("loss", f"[checks]\nevery = {every}\n")
        made = answer(checked, question, found)
        assert (made.low, made.high) == pytest.approx((low, high))
        assert (made.verdict, made.advantage) == (verdict, pytest.approx(1.25))


QUESTION = """
[[question]]
text = "Is it?"
claim = "better"
cells = ["rra", "lstm"]
margin = 0.005
"""


def test_a_table_by_hand():
    records = [
        *finals("rra", RRA, epoch_seconds=3.0, validation=0.95),
        *finals("lstm", LSTM[:1], parameters=1200),
    ]
    text = study_section(study(more=QUESTION, name="row-mnist"), records)
    # mean 0.93, deviation sqrt((4 + 0 + 1 + 9) / 3) / 100
    assert "| RRA | 8 | 1,234 | 4 | 93.00 ± 2.16 % | 95.00 ± 0.00 % | 1.5 × | – |" in text
    assert "| LSTM | 8 | 1,200 | 1 of 4 | 90.00 % | 50.00 % | 1.0 × | 98.55 % |" in text
    assert "| RAU | – | – | 0 of 4 | – | – | – | 98.80 % |" in text
    assert "**Is it?** Only 1 of the 4 seeds that an answer needs have been run." in text
    assert (
        "**Not finished**: 5 of 18 runs are done. Each mean below is over the seeds that have"
        in text
    )
    assert "All other comparisons are exploratory." in text
    assert "Not run: RRA (2 trials), LSTM (2 trials, 3 final runs), RAU (2 trials, 4 final" in text
    assert "Zhong et al. (2018)" in text


def test_an_answer_in_words():
    text = study_section(study(more=QUESTION), [*finals("rra", RRA), *finals("lstm", LSTM)])
    assert (
        "**Is it?** Not decided (margin 0.5 points): +2.50 points, 95 % interval −0.55 to +5.55 "
        "over 4 paired seeds. Positive is in favour of RRA, at equal hidden size." in text
    )
    assert "No mean counts the runs that diverged" not in text


def test_an_end_that_is_not_the_margin_does_not_look_as_if_it_were():
    # All differences the same: the interval has no width.
    for above, told in ((0.00496, "+0.496 to +0.496"), (0.00504, "+0.504 to +0.504")):
        better = [one + above for one in LSTM]
        text = study_section(study(more=QUESTION), [*finals("rra", better), *finals("lstm", LSTM)])
        assert f"95 % interval {told} over 4 paired seeds" in text


def test_what_is_as_good_is_so_within_the_margin():
    worse = [one - 0.002 - 0.0002 * seed for seed, one in enumerate(LSTM)]
    question = QUESTION.replace("better", "at least")
    text = study_section(study(more=question), [*finals("rra", worse), *finals("lstm", LSTM)])
    # 0.23 ± 3.18 * 0.0258 / 2
    assert (
        "**Is it?** Yes (within 0.5 points): −0.23 points, 95 % interval −0.27 to −0.19 over"
        in text
    )


def test_a_published_number_is_said_to_have_no_interval():
    question = QUESTION.replace("better", "reaches").replace('"rra", "lstm"', '"rau"')
    text = study_section(study(more=question, name="row-mnist"), finals("rau", [0.97] * 4))
    assert (
        "**Is it?** No (within 0.5 points): −1.80 points, 95 % interval −1.80 to −1.80 over 4 "
        "seeds. Positive is better than the published 98.80 %, taken as if it were exact; at equal "
        "hidden size." in text
    )


def test_factors_in_words():
    question = QUESTION.replace("0.005", '1.0\nmeasure = "iterations"')
    the_study = study("loss", f"[checks]\nevery = 10\n{question}")
    text = study_section(
        the_study, [*speeds("rra", ["100"] * 4), *speeds("lstm", ["200", ">900", "400", "200"])]
    )
    # of ln 1.9, ln 9, ln 3.9 and ln 1.9, for the LSTM may have been there right after a check,
    # the mean is 1.2105 and the deviation 0.7400: from exp(0.0330) on
    assert (
        "**Is it?** Yes: 1 of 8 runs did not solve it, 95 % interval "
        "1.03 to no limit over 4 paired seeds. Above 1 is in favour of RRA, at equal hidden size."
        in text
    )
    half = study("loss", f"[checks]\nevery = 10\n{question.replace('1.0', '1.5')}")
    several = [*speeds("rra", ["100"] * 4), *speeds("lstm", ["100"] * 4)]
    assert "**Is it?** No (margin a factor of 1.5): 1.00 times" in study_section(half, several)


def test_runs_the_study_does_not_name_are_told():
    records = [*finals("rra", RRA), record("rra", 7, 0.99), record("gru", 0, 0.5)]
    text = study_section(study(), records)
    assert "Run, but not among what the study names: gru-hidden-seed-0, rra-hidden-seed-7." in text
    assert "**Not finished**: 4 of 18 runs are done." in text
    assert "not among what" not in study_section(study(), records[:4])


def tried(cell, **changes):
    return [record(cell, number, None, phase="trial", **changes) for number in range(2)]


def test_final_runs_that_cannot_be_are_said_to():
    text = study_section(study(), [*tried("rra"), *tried("lstm", status="diverged")])
    assert (
        "Not run: RRA (4 final runs), LSTM (4 final runs, which cannot be: every trial diverged), "
        "RAU (2 trials, 4 final runs)." in text
    )
    assert "**Not finished**: 4 of 18 runs are done.\n" in text


def test_without_an_lstm_no_epoch_is_compared_with_its():
    without = dataclasses.replace(study(), cells=("rra", "rau"))
    text = study_section(without, finals("rra", RRA, epoch_seconds=3.0))
    assert "times the LSTM" not in text and "| RRA | 8 | 1,234 | 4 | 93.00 ± 2.16 % |" in text


def test_what_is_finished_is_not_called_otherwise():
    whole = [one for cell in ("rra", "lstm", "rau") for one in (*tried(cell), *finals(cell, RRA))]
    text = study_section(study(), whole)
    assert "Not finished" not in text and "Not run" not in text


def test_how_the_settings_were_come_by():
    more = """
[recipe]
epochs = 8
[search]
learning_rate = {choice = [0.1, 0.2]}
[search.rra]
model.options.window = {choice = [2, 3]}
"""
    text = study_section(study(more=more), [])
    assert "2 trials for every cell (learning rate; window of RRA); the setting of" in text
    assert "A trial is" not in text
    seeded = dataclasses.replace(study(more=more), trials=Trials(2, 0, {}, (5, 6)))
    assert "(learning rate; window of RRA; 2 seeds)" in study_section(seeded, [])
    shorter = study("loss", more + "[checks]\nevery = 10\n")
    shorter = dataclasses.replace(shorter, trials=Trials(2, 0, {"epochs": 3}))
    text = study_section(shorter, [])
    assert "A trial is of 3 epochs, a final run of 8." in text
    assert "the one that solved it soonest (where none did, of the least validation loss)" in text


def test_both_sizes_have_their_table_and_the_reference_one_run():
    sizes = '[sizes]\nequal = ["hidden", "parameters"]\n'
    records = [
        *finals("rra", RRA), *finals("lstm", LSTM, parameters=1200),
        *finals("rra", [0.5] * 4, size="parameters", hidden_size=7, parameters=1199),
    ]  # fmt: skip
    hidden, parameters = study_section(study(more=sizes), records).split("As many parameters")
    assert "| RRA | 8 | 1,234 | 4 | 93.00 ± 2.16 % |" in hidden
    assert "| RRA | 7 | 1,199 | 4 | 50.00 ± 0.00 % |" in parameters
    for table in (hidden, parameters):
        assert "| LSTM | 8 | 1,200 | 4 | 90.50 ± 0.58 % |" in table


def test_before_the_first_final_run_there_is_no_table():
    text = study_section(study(), [])
    assert "|" not in text
    assert "Not run: RRA (2 trials, " in text


def test_iterations_in_a_table():
    more = "[checks]\nevery = 10\n"
    records = [
        *speeds("rra", ["100", "300", "200", ">900"]), *speeds("lstm", [">900"] * 3 + ["400"]),
        *speeds("rau", [">900"] * 4),
    ]  # fmt: skip
    text = study_section(study("loss", more), records)
    assert "| 250 (100 to >900), 3 of 4 solved |" in text
    assert "| >900 (400 to >900), 1 of 4 solved |" in text
    assert "| >900, 0 of 4 solved |" in text
    assert "0.10000 ± 0.00000" in text


@pytest.mark.parametrize(
    ("reached", "said"),
    [
        (["100", ">20000"], ">10,050 (100 to >20,000), 1 of 2 solved"),
        (["100", "300", ">900", ">900"], ">600 (100 to >900), 2 of 4 solved"),
        (["100", ">800", ">900", ">1000"], ">850 (100 to >1,000), 1 of 4 solved"),
        (["100", ">800", ">900"], ">800 (100 to >900), 1 of 3 solved"),
    ],
)
def test_a_median_that_is_not_known_is_above_the_mean_of_the_middle_two(reached, said):
    assert iterations(speeds("rra", reached)) == said


def test_no_number_of_rras_paper_is_printed():
    for name in ("har", "imdb", "ptb-small", "ptb-medium", "ptb-large", "row-mnist"):
        assert "rra" not in published(name).scores
    assert published("adding-100") is None
    assert published("har").scores["larnn"] == pytest.approx(0.9192)
    assert published("ptb-small").scores["rau"] == 113.89
    assert published("ptb-small").printed["rau"] == "113.89"


def test_studies_without_results_are_listed(tmp_path):
    (tmp_path / "adding-200.toml").write_text(SMALL)
    (tmp_path / "adding-1000.toml").write_text(SMALL)
    assert tables_of(tmp_path) == "Not run: adding-200, adding-1000.\n"
    update_results(small()[0], tmp_path / "runs", tmp_path / "adding-200")
    assert tables_of(tmp_path) == "Not run: adding-200, adding-1000.\n"
    runs = run_folders(tmp_path, [record("rra", 0, 0.1)])
    update_results(small()[0], runs, tmp_path / "adding-200")
    text = tables_of(tmp_path)
    assert text.startswith("### adding-200\n") and "\n\nNot run: adding-1000.\n" in text
    assert "2 questions were asked beforehand in all." in text
    (tmp_path / "rra.toml").write_text("epochs = 3\n")
    with pytest.raises(ValueError, match=r"rra.toml is no study, keep it in another folder"):
        tables_of(tmp_path)
    with pytest.raises(FileNotFoundError, match="neither a study nor results"):
        tables_of(tmp_path / "none")


def test_tables_replace_what_stands_between_the_markers(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_between(path, "new\n")
    put_between(path, "new\n")
    assert path.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    for wrong in (f"{END}\n{BEGIN}", BEGIN, f"{BEGIN}{BEGIN}{END}"):
        path.write_text(wrong)
        with pytest.raises(ValueError, match="each once"):
            put_between(path, "new\n")


@pytest.mark.parametrize(
    ("path", "made", "options"),
    [
        ("README.md", summary_of, "--summary --into"),
        ("notebooks/results/README.md", tables_of, "--into"),
    ],
)
def test_the_readmes_tables_are_those_of_the_results(path, made, options):
    readme = (ROOT / path).read_text("utf-8")
    between = readme.partition(f"{BEGIN}\n")[2].partition(END)[0]
    assert between == made(RESULTS), (
        f"{path} and notebooks/results differ: attnviz study tables notebooks/results {options} "
        f"{path}"
    )


def test_the_projects_studies_can_be_read_and_ask_six_questions_at_most():
    studies = [read_study(path) for path in sorted(RESULTS.glob("*.toml"))]
    assert len(studies) == 13
    assert sum(len(one.questions) for one in studies) == 6
    for one in studies:
        cells = {
            "har-window": ("larnn", "rra"),
            "adding-larnn": ("larnn", *one.variants),
            "released-larnn": (*one.variants, "lstm"),
        }
        assert one.cells == cells.get(one.name, ("rra", "larnn", "rau", "lstm", "gru"))
        assert bool(one.variants) == (one.name in ("adding-larnn", "released-larnn"))
        # These have the settings of other studies, or published ones.
        given = one.variants or one.name in ("adding-200", "adding-400")
        assert bool(given) == (not one.trials.count)
        tried = {one.trials.training_seed(number) for number in range(one.trials.count)}
        assert len(one.final.seeds) >= 3 and not tried & {*one.final.seeds}
        if (RESULTS / one.name).is_dir():
            ran, records = open_results(RESULTS / one.name)
            assert ran.settles() == one.settles()
            for trial in (record for record in records if record.job.phase == "trial"):
                drawn = draw_trials(one, trial.job.cell)
                assert trial.values == drawn[one.trials.setting(trial.job.number)]
