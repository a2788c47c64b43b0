import re
from pathlib import Path

import torch

import cells

README = Path(cells.__file__).parent / "README.md"


def test_the_examples_run():
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {}

    for block in blocks:
        exec(block, names)

    assert len(blocks) == 5
    assert names["seen"]["attention"].shape == (20, 2, 1, 5)
    changed = (names["counterfactual"] != names["output"]).any(dim=-1)
    assert changed.shape == (20, 2)
    assert any(gradient is not None for gradient in names["by_shortcut"])
    hidden, _ = names["step"](names["x"][0])
    torch.testing.assert_close(names["every_hidden"][0], hidden)
    assert names["layer"](names["x"])[0].shape == (20, 2, 16)


def test_every_public_name_is_there():
    assert all(hasattr(cells, name) for name in cells.__all__)
    assert sorted(set(cells.__all__)) == sorted(cells.__all__)
