"""Each planted fault is found, and nothing else."""

import pytest

import attnviz
from tests.attnviz.checkup.broken import BROKEN, Model


@pytest.mark.parametrize("name", BROKEN)
def test_the_fault_that_was_planted_is_found_and_no_other(name):
    wrong = BROKEN[name]

    report = attnviz.doctor(wrong.make())

    found = report.of("fault", "warning")
    assert [(one.check, one.status) for one in found] == [(wrong.check, wrong.status)], report
    [finding] = found
    assert pytest.importorskip("re").search(wrong.says, finding.measured), finding.measured
    assert wrong.where in finding.where
    assert len(finding.advice.split()) > 3
    assert report.ok == (wrong.status != "fault")


def test_the_model_they_were_made_from_is_sound():
    report = attnviz.doctor(Model())
    assert not report.of("fault", "warning"), report
