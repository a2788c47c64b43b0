"""All studies in one table, by hand."""

import pytest

from attnviz.studies import parse_study, update_results
from attnviz.studies.summary import summary_of
from tests.attnviz.studies.made import TEXT, finals, record, run_folders

ASKED = """
[sizes]
equal = ["hidden", "parameters"]
[[question]]
text = "Is RRA better?"
claim = "better"
cells = ["rra", "lstm"]
margin = 0.005
"""
RRA, LSTM = [0.91, 0.93, 0.92, 0.96], [0.80, 0.80, 0.81, 0.81]


@pytest.fixture
def put(tmp_path):
    """What puts a study's file into a folder, and its results."""

    def put(name, text, *records):
        (tmp_path / f"{name}.toml").write_text(text)
        if records:
            study = parse_study(text, name=name, where=name)
            update_results(study, run_folders(tmp_path / "of" / name, records), tmp_path / name)

    return put


def rows_of(text):
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {line[0]: line[1:] for line in lines}


def test_a_row_a_study_a_column_a_cell(tmp_path, put):
    put("ten", TEXT.format(score="accuracy") + ASKED, *finals("rra", RRA), *finals("lstm", LSTM))
    broken = record("lstm", 2, None, status="diverged")
    put("row-mnist", TEXT.format(score="accuracy"), record("rau", 1, 0.5), broken)
    added = TEXT.replace('"rau"', '"gru"').format(score="loss") + "[checks]\nevery = 10\n"
    solved = [record("gru", 0, 0.1, reached="70"), record("gru", 1, 0.3, reached=">90")]
    put("added", added, *solved)
    put("windows", "summary = false\n" + TEXT.format(score="accuracy"), *finals("rra", RRA))
    text = summary_of(tmp_path)

    hidden, _, equal = text.partition("At as many parameters as the LSTM has")
    assert rows_of(hidden) == {
        "study": ["RRA", "LARNN", "RAU", "LSTM", "GRU"],
        "---": ["---"] * 5,
        "added, iterations until solved": ["–"] * 4 + [">80 (70 to >90), 1 of 2 solved"],
        "added, test mean squared error": ["–"] * 4 + ["0.20000 ± 0.14142, 2 seeds"],
        "row-mnist, test accuracy": [
            "–", "–", "50.00 %, 1 seed (98.80 %)", "–, 1 diverged (98.55 %)", "– (98.54 %)",
        ],
        "ten, test accuracy": ["93.00 ± 2.16 %", "–", "–", "80.50 ± 0.58 %", "–"],
    }  # fmt: skip
    # Of the reference there is one run for both sizes; of RRA none at equal parameters.
    assert rows_of(equal)["ten, test accuracy"] == ["–", "–", "–", "80.50 ± 0.58 %", "–"]
    assert "- **Is RRA better?** Yes" in text
    assert "Not finished: added (2 of " in text


def test_what_has_not_been_run_is_said(tmp_path, put):
    put("first", TEXT.format(score="accuracy") + ASKED)
    put("second", TEXT.format(score="accuracy"))
    said, _, rest = summary_of(tmp_path).partition("\n\n")
    assert said == "- Asked beforehand and not answered yet: Is RRA better?"
    assert rest == "Not finished: first (0 of 26 runs), second (0 of 18 runs).\n"


def test_variants_of_one_cell_have_only_their_own_tables(tmp_path, put):
    text = TEXT.replace('"rau"]', '"rra-wide"]').format(score="accuracy")
    ran = [*finals("rra", RRA), record("rra-wide", 0, 0.7)]
    put("wide", text + '[variants]\nrra-wide = "rra"\n', *ran)
    assert "|" not in summary_of(tmp_path)
