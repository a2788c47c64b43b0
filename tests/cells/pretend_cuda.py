"""CUDA graphs on a CPU: torch's own capture, over graphs that are lists of operations.

As on a device, a capture notes every operation with the memory that it reads and writes, and a
replay runs those again, over the same memory, without any Python of ours. What a device does not
let a capture do, looking at values, is refused here too. What is missing: that memory is used
again once it is free, so that a second backward pass of one replay goes wrong.
"""

from contextlib import nullcontext

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cells import graphed

LOOKING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero")


class PretendGraph:
    """Stands for `torch.cuda.CUDAGraph`."""

    replays = 0

    def __init__(self):
        self.operations = []

    @torch.no_grad()
    def replay(self):
        type(self).replays += 1
        with torch.autocast("cpu", enabled=False):
            for function, args, kwargs, left in self.operations:
                found = tree_leaves(function(*args, **kwargs))
                for old, new in zip(left, found, strict=True):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)


class Recording(TorchDispatchMode):
    """Stands for `torch.cuda.graph`."""

    def __init__(self, graph, pool=None):
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        masks = name == "index" and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if name in LOOKING or masks:
            raise RuntimeError(f"{name}: operation not permitted when stream is capturing.")
        kwargs = kwargs or {}
        found = function(*args, **kwargs)
        self.graph.operations.append((function, args, kwargs, tree_leaves(found)))
        return found


def pretend_cuda(monkeypatch):
    """Lets CPU tensors be captured."""
    monkeypatch.setattr(graphed, "can_capture", lambda x: True)
    for name, stand_in in {
        "CUDAGraph": PretendGraph,
        "graph": Recording,
        "synchronize": lambda: None,
        "Stream": lambda: None,
        "stream": nullcontext,
        "device_of": nullcontext,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(torch.cuda.graphs, "graph_pool_handle", lambda: None)
