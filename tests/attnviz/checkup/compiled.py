"""Models compiled; run as a program, since the compiler would trace the annotations' checker."""

import torch

import attnviz
import cells
from attnviz.models import SequenceModel


class Lost(cells.RRA):
    """Reads without its hooks where it is compiled."""

    def forward(self, x, state=None, *, lengths=None):
        if not torch.compiler.is_compiling():
            return super().forward(x, state, lengths=lengths)
        cell, outputs = self.groups["l0"], []
        state = cell.initial_state(x.shape[1], dtype=x.dtype)
        for one in x.unbind():
            state, _ = cell(one, state)
            outputs.append(state.hidden)
        return torch.stack(outputs), (state,)


def judged(model, *, ask):
    """What the doctor says of a model compiled, and of all the rest."""
    report = attnviz.doctor(model, compiled=ask)
    [finding] = [one for one in report.findings if one.check == "compiled"]
    others = [one for one in report.of("fault", "warning") if one is not finding]
    assert not others, report
    return finding


def main():
    """Compiled by the user as a whole, in place or by the doctor: hooks that are lost are found."""
    torch.manual_seed(0)
    sound = judged(cells.RRA(3, 4, window=2), ask=True)
    assert sound.status == "passed", sound
    sound = judged(torch.compile(cells.RRA(3, 4, window=2), backend="eager"), ask=False)
    assert sound.status == "passed", sound
    model = SequenceModel(cells.GRU(3, 4, batch_first=True), outputs=1)
    model.compile(backend="eager")
    assert judged(model, ask=False).status == "passed"

    compiled = torch.compile(Lost(3, 4, window=2), backend="eager")
    for lost in (judged(Lost(3, 4, window=2), ask=True), judged(compiled, ask=False)):
        assert lost.status == "fault" and "hooks of l0 do not fire" in lost.measured, lost
    assert judged(Lost(3, 4, window=2), ask=False).status == "skipped"


if __name__ == "__main__":
    main()
