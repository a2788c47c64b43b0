import re
from pathlib import Path
from typing import NamedTuple

import torch

import cells

README = Path(cells.__file__).parent / "README.md"


def test_the_examples_run():
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    runnable = [block for block in blocks if "self.gates(" not in block]  # an excerpt of a cell
    x, lengths = torch.randn(20, 2, 3), [20, 12]
    names = {"x": x, "lengths": lengths, "NamedTuple": NamedTuple, "Tensor": torch.Tensor}

    for block in runnable:
        exec(block, names)

    assert len(runnable) == len(blocks) - 1 == 5
    assert names["seen"]["attention"].shape == (20, 2, 1, 5)
    changed = (names["counterfactual"] != names["output"]).any(dim=-1)
    assert changed.shape == (20, 2)
    assert any(gradient is not None for gradient in names["by_shortcut"])
    hidden, _ = names["step"](names["x"][0])
    torch.testing.assert_close(names["every_hidden"][0], hidden)
    assert names["layer"](x)[0].shape == (20, 2, 16)


def test_every_public_name_is_there():
    assert all(hasattr(cells, name) for name in cells.__all__)
    assert sorted(set(cells.__all__)) == sorted(cells.__all__)
