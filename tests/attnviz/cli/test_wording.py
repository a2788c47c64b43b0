"""Messages speak of options, where Python has arguments."""

import numpy as np
import pytest
import xarray as xr

from attnviz.analysis.ablation import effect_against
from attnviz.cli.wording import in_the_shell
from attnviz.edits import check_method
from attnviz.trace import Trace, signal
from tests.attnviz.cli.shell import called


@pytest.mark.parametrize(
    ("python", "shell"),
    [
        ("Use method='zero' or 'mean'.", "Use --method zero or mean."),
        (
            "Choose level='head' (all timesteps) or 'step'.",
            "Choose --level head (all timesteps) or step.",
        ),
        (
            "replace its inputs: attnviz.replacement_influence.",
            "replace its inputs: attnviz influence.",
        ),
        ("What does not speak of code stays.", "What does not speak of code stays."),
    ],
)
def test_arguments_become_options(python, shell):
    assert in_the_shell(python) == shell


def test_what_the_library_says_of_references_levels_and_signals():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="reference texts") as error:
        check_method("mean", None)
    assert str(in_the_shell(str(error.value))).endswith('give some with --reference "...".')
    effects = xr.Dataset({"margin_effect": ("lag", np.ones(3))}, attrs={"level": "lag"})
    with pytest.raises(KeyError) as error:
        effect_against(effects)
    said = in_the_shell(str(error.value.args[0]))
    assert said.startswith("This plot needs") and "Run attnviz ablate with --level step." in said
    empty = Trace(xr.DataTree.from_dict({"/": xr.Dataset(), "l0": xr.Dataset()}))
    with pytest.raises(KeyError) as error:
        signal(empty, "forget_gate")
    assert "attnviz record --keep forget_gate,..." in in_the_shell(str(error.value.args[0]))


def test_a_command_speaks_so(monkeypatch, capsys):
    pytest.importorskip("torch")
    typed = ("ablate", "rra-imdb", "--text", "Slow, but fine.", "--method", "mean")
    status, _, error = called(monkeypatch, capsys, *typed)
    assert status == 1 and 'give some with --reference "..."' in error
