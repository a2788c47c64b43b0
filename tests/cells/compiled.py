"""A model compiled; run as a program, since the compiler would trace the annotations' checker."""

import torch

import cells


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.before, self.after = torch.nn.Linear(3, 3), torch.nn.Linear(4, 2)
        self.layer = cells.RRA(3, 4, window=2)

    def forward(self, x, lengths):
        output, _ = self.layer(self.before(x), lengths=lengths)
        return self.after(output).tanh()


def main():
    """Compares the model with itself compiled; graphs are counted, not compiled further."""
    torch.manual_seed(0)
    graphs, seen, norms = [], [], []

    def count(graph, _):
        graphs.append(graph)
        return graph.forward

    model = Model()
    compiled = torch.compile(model, backend=count)
    model.layer.register_readout_hook(lambda *call: seen.append(call), ["attention"])
    model.layer.register_gradient_hook(lambda *call: norms.append(call))
    for lengths in ([5, 2], [3, 5], [1, 5]):
        x = torch.randn(5, 2, 3)
        gradients = []
        for one in (model, compiled):
            model.zero_grad()
            output = one(x, lengths)
            output.sum().backward()
            gradients.append([output, *(parameter.grad for parameter in model.parameters())])
        assert all(map(torch.equal, *gradients))
    compilations = len(graphs)
    # torch 2.10 compiles what is before the layer anew when a length first changes.
    most = 2 if torch.__version__ >= torch.torch_version.TorchVersion("2.13") else 3
    assert 2 <= compilations <= most, "one before the layer and one after it, whatever the lengths"
    assert len(seen) == len(norms) == 6, "of three calls, compiled and not"
    for (_, plain, _), (_, of_compiled, _) in zip(seen[::2], seen[1::2], strict=True):
        torch.testing.assert_close(of_compiled, plain, rtol=0, atol=0, equal_nan=True)

    alone = torch.compile(model.layer, backend=count)
    assert torch.equal(alone(x)[0], model.layer(x)[0])
    assert len(graphs) == compilations and len(seen) == 8


if __name__ == "__main__":
    main()
