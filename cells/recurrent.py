"""The layer a user constructs: any cell over time, stacked, in one or both directions."""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.utils.hooks import RemovableHandle

from cells.base import Cell, Edit
from cells.checks import check_began, check_cell, check_input, check_state
from cells.graphed import Graphs, graph_obstacle
from cells.hooks import GradientHook, GradientParts, ReadoutHook, watch_for
from cells.lengths import Rows, check_lengths
from cells.paths import Call, Path, Read, check_path, obstacle, read, worth_saying

__all__ = ["Recurrent", "StepByStepWarning"]

State = tuple[Any, ...]  # one named tuple a group
Lengths = Int[Tensor, "batch"] | Sequence[int] | None


class StepByStepWarning(UserWarning):
    """A layer that has a fast path does not take it in a call; said once for each reason."""


class Recurrent(nn.Module):
    """A cell over time, used like `torch.nn.LSTM`.

    Every layer and direction is a *group* with a cell of its own: `l0`, `l0_reverse`, `l1`, ...
    Padding never changes a result: a row leaves the computation when it ends, and a reverse
    direction starts at each row's own last timestep.

    Arguments:
        make_cell: Makes a cell for an input of so many features.
        input_size: Features of the input.
        num_layers: Layers on top of each other.
        batch_first: Whether input and output are `(batch, time, feature)`.
        dropout: Dropout on the output of every layer but the last.
        bidirectional: Whether a second cell reads each sequence backwards.
        residual: Whether a layer's input is added to its output, where sizes agree.

    Attributes:
        allow_reverse_state: Whether a bidirectional layer takes states, one for each direction to
            begin with, as torch.nn's do. Refused at first: the reverse direction of a next piece
            does not begin where that of this one ended.

    Raises:
        ValueError: If `num_layers` is less than 1 or `dropout` is not a probability.
        TypeError: If `make_cell` does not return a `Cell`, or one without its declarations.
    """

    def __init__(
        self,
        make_cell: Callable[[int], Cell[Any]],
        input_size: int,
        *,
        num_layers: int = 1,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a probability below 1, got {dropout}.")
        self.input_size, self.num_layers = input_size, num_layers
        self.batch_first, self.dropout = batch_first, dropout
        self.bidirectional, self.residual = bidirectional, residual
        self.cells = nn.ModuleDict()
        directions = ("", "_reverse") if bidirectional else ("",)
        features = input_size
        for layer in range(num_layers):
            for direction in directions:
                cell = make_cell(features)
                check_cell(cell)
                self.cells[f"l{layer}{direction}"] = cell
            features = cell.hidden_size * len(directions)
        self.hidden_size, self.output_size = cell.hidden_size, features
        self.allow_reverse_state = False
        self._path: Path = "auto"
        self.last_path: str | None = None
        self._said: set[str] = set()
        self._graphs = Graphs()
        self._readout_hooks: OrderedDict[int, tuple[ReadoutHook, frozenset[str]]] = OrderedDict()
        self._gradient_hooks: OrderedDict[int, tuple[GradientHook, GradientParts]] = OrderedDict()
        self._edits: OrderedDict[int, tuple[Edit, str | None]] = OrderedDict()

    @property
    def groups(self) -> dict[str, Cell[Any]]:
        """The cell of every layer and direction."""
        return dict(self.cells.items())  # type: ignore[arg-type]  # a ModuleDict of cells

    @property
    def path(self) -> Path:
        """How sequences are read: `"step"` by step, by the `"fast"` path, or by `"auto"` choice.

        The choice is the fast path wherever there is one for the cell and its options, and the
        step otherwise and while an edit is registered. `"graph"`, which is never chosen, captures
        either as a CUDA graph and replays it in later calls of the same shapes. `last_path` says
        which a call took.
        """
        return self._path

    @path.setter
    def path(self, path: Path) -> None:
        self._path = check_path(path)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Recurrent":
        self._graphs.clear()  # they hold the memory that the weights are about to leave
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    @property
    def edited(self) -> bool:
        """Whether an edit is registered."""
        return bool(self._edits)

    def register_readout_hook(self, hook: ReadoutHook, signals: Iterable[str]) -> RemovableHandle:
        """Calls `hook(group, readouts, lengths)` once a call and group.

        Arguments:
            hook: Takes the group, `{name: (time, batch, ...)}` detached, in original time, with
                NaN in padding, and the lengths. Besides the signals asked for, `history` counts
                the timesteps `(batch)` that the given state had seen, and `initial_hidden` (and
                `initial_memory`) `(batch, unit)` are that state's. They may share memory with what
                a backward pass reads: copy them before changing them.
            signals: What to hand over; a cell that lacks one leaves it out.

        Returns:
            A handle whose `remove()` ends it.

        Raises:
            KeyError: If no cell of the layer declares a signal.
        """
        wanted = frozenset(signals)
        declared = {name for cell in self.groups.values() for name in cell.signals}
        if unknown := wanted - declared:
            raise KeyError(
                f"{type(self).__name__} has no signal {sorted(unknown)}; it has {sorted(declared)}."
            )
        handle = RemovableHandle(self._readout_hooks)
        self._readout_hooks[handle.id] = (hook, wanted)
        return handle

    def register_gradient_hook(
        self, hook: GradientHook, *, parts: GradientParts = "norms"
    ) -> RemovableHandle:
        """Calls `hook(group, gradients)` when a backward pass through a call's group ends.

        Arguments:
            hook: Takes the group and the norm of the loss's gradient at every state,
                `{"hidden_gradient_norm": (time, batch), ...}`, NaN in padding and at states that
                depend on nothing that asks for gradients.
            parts: `"norms"` alone; `"routes"` adds, for each state, what came back by each of its
                uses: `hidden_route_norm` and `hidden_route_projection (time, batch, route)` in the
                order of `cells.route_entries`, `hidden_cancellation` and `hidden_route_residual
                (time, batch)`, which is rounding alone; `"exits"` also what of each route goes on
                to the input, `input_route_norm` and so on, in the order of `cells.exit_names`.
                Dropout and batch statistics cannot be read again: under them only norms come.

        Returns:
            A handle whose `remove()` ends it for later calls; a call already made still reports
            to the hooks that it was made under.

        Raises:
            ValueError: If `parts` is none of the three.
        """
        if parts not in get_args(GradientParts):
            raise ValueError(f"parts is one of {get_args(GradientParts)}, got {parts!r}.")
        handle = RemovableHandle(self._gradient_hooks)
        self._gradient_hooks[handle.id] = (hook, parts)
        return handle

    def register_edit(self, edit: Edit, *, group: str | None = None) -> RemovableHandle:
        """Changes what attention reads, until the handle's `remove()`.

        Arguments:
            edit: Maps weights `(batch, head, source)` and values `(batch, head, source, unit)`
                and `At` to new ones.
            group: Only in this layer and direction.

        Returns:
            A handle whose `remove()` ends it.

        Raises:
            KeyError: If there is no such group.
        """
        if group is not None and group not in self.cells:
            raise KeyError(f"There is no group {group!r}; there are {list(self.cells)}.")
        handle = RemovableHandle(self._edits)
        self._edits[handle.id] = (edit, group)
        return handle

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: State | None = None,
        *,
        lengths: Lengths = None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Reads a batch of sequences.

        Arguments:
            x: `(time, batch, feature)`, or batch first if so constructed, or packed.
            state: As an earlier call returned it, to go on from there. A bidirectional layer takes
                one only with `allow_reverse_state`.
            lengths: Timesteps of each sequence; all of them if not given.

        Returns:
            The output of the last layer, zero in padding, in the form of the input; and the state
            of each group after each sequence's own last timestep.

        Raises:
            TypeError: If the input is no tensor or of another precision than the parameters, the
                state is another cell's, or a step returns no state and readout.
            ValueError: If shapes, lengths or the state do not fit, or a readout lacks a signal.
        """
        if torch.compiler.is_compiling():
            # Compiled, the loop would be unrolled once for every new length and hooks might not
            # fire. Wrapped only here: importing the compiler takes longer than importing torch.
            return self._read_uncompiled(x, state, lengths)
        return self._read(x, state, lengths)

    def _read_uncompiled(
        self, x: Tensor | PackedSequence, state: State | None, lengths: Lengths
    ) -> tuple[Tensor | PackedSequence, State]:
        read: Callable[..., tuple[Tensor | PackedSequence, State]]
        read = torch.compiler.disable(self._read)  # type: ignore[no-untyped-call]
        return read(x, state, lengths)

    def _read(
        self, x: Tensor | PackedSequence, state: State | None, lengths: Lengths
    ) -> tuple[Tensor | PackedSequence, State]:
        if isinstance(x, PackedSequence):
            return self._read_packed(x, state, lengths)
        return self._read_padded(x, state, lengths)

    def _read_packed(
        self, x: PackedSequence, state: State | None, lengths: Lengths
    ) -> tuple[PackedSequence, State]:
        if lengths is not None:
            raise ValueError("A PackedSequence carries its own lengths; leave lengths out.")
        padded, lengths = pad_packed_sequence(x, batch_first=self.batch_first)
        output, final = self._read_padded(padded, state, lengths)
        if x.sorted_indices is not None:
            output = output.index_select(0 if self.batch_first else 1, x.sorted_indices)
            lengths = lengths[x.sorted_indices.cpu()]
        packed = pack_padded_sequence(output, lengths, batch_first=self.batch_first)
        # Rows of equal length keep the order they came in, which packing anew could change.
        order = x.sorted_indices, x.unsorted_indices
        return PackedSequence(packed.data, x.batch_sizes, *order), final

    def _read_padded(
        self, x: Tensor, state: State | None, lengths: Lengths
    ) -> tuple[Tensor, State]:
        name, first = type(self).__name__, next(iter(self.groups.values()))
        check_input(name, x, first, features=self.input_size, batch_first=self.batch_first)
        padded = x.transpose(0, 1) if self.batch_first else x
        batch = padded.shape[1]
        checked = check_lengths(lengths, batch=batch, longest=len(padded))
        if state is not None:
            refused = self.bidirectional and not self.allow_reverse_state
            check_state(state, self.groups, batch=batch, refused=refused)
        output, final = self._layers(padded, checked, state)
        return (output.transpose(0, 1) if self.batch_first else output), final

    def _layers(
        self,
        x: Float[Tensor, "time batch feature"],
        lengths: Int[Tensor, "batch"],
        state: State | None,
    ) -> tuple[Float[Tensor, "time batch output"], State]:
        final: list[Any] = []
        directions = 2 if self.bidirectional else 1
        names = list(self.cells)
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                index = layer * directions + direction
                given = None if state is None else state[index]
                output, last = self._group(names[index], x, lengths, given, bool(direction))
                outputs.append(output)
                final.append(last)
            output = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
            if self.residual and output.shape == x.shape:
                inside = torch.arange(len(x))[:, None] < lengths
                output = torch.where(inside.to(x.device)[..., None], output + x, 0)
            x = output
            if layer + 1 < self.num_layers and self.dropout:
                x = nn.functional.dropout(x, self.dropout, self.training)
        return x, tuple(final)

    def _group(
        self,
        group: str,
        x: Float[Tensor, "time batch feature"],
        lengths: Int[Tensor, "batch"],
        state: Any,  # noqa: ANN401  (the cell's own named tuple)
        reverse: bool,
    ) -> tuple[Float[Tensor, "time batch unit"], Any]:
        """One layer in one direction."""
        cell, rows = self.groups[group], Rows.sorted(lengths, reverse=reverse)
        cell.before_sequence(len(lengths))
        carried = state is not None
        if state is None:
            state = cell.initial_state(len(lengths), device=x.device, dtype=_state_dtype(cell, x))
            check_began(cell, state)
        history = cell.history(state, len(lengths))
        wanted = (names for _, names in self._readout_hooks.values())
        call = Call(
            cell,
            x,
            rows,
            state,
            carried,
            keep=frozenset().union(*wanted),
            edits=[edit for edit, only in self._edits.values() if only in (None, group)],
            group=group,
            watch=watch_for(group, self._gradient_hooks.values()),
        )
        path = self.last_path = self._choose(call)
        found = self._graphs.read(call) if path == "graph" else read(call, path)
        if self.training and cell.statistics:
            cell.after_sequence(found.statistics)
        began = {"history": history}
        for name in ("hidden", "memory"):
            if name in state._fields:
                began[f"initial_{name}"] = getattr(state, name).detach()
        self._report_readouts(group, found, rows, began)
        return found.output, found.state

    def _choose(self, call: Call) -> Literal["step", "fast", "graph"]:
        """The path of a call, by the layer's setting and what the call allows."""
        if self._path == "step":
            return "step"
        wanted: Literal["fast", "graph"] = "graph" if self._path == "graph" else "fast"
        reason = (graph_obstacle if wanted == "graph" else obstacle)(call)
        if reason is None:
            return wanted
        if self._path != "auto":
            raise ValueError(
                f"{type(self).__name__} cannot take the {wanted} path: {reason}. Set path to "
                "'auto' or 'step'."
            )
        if worth_saying(call.cell) and reason not in self._said:
            self._said.add(reason)
            warnings.warn(
                f"{type(self).__name__} reads step by step, which is slower, because {reason}.",
                StepByStepWarning,
                stacklevel=9,  # whoever calls the layer: two frames here are torch.nn.Module's
            )
        return "step"

    def _report_readouts(
        self, group: str, found: Read, rows: Rows, began: dict[str, Tensor]
    ) -> None:
        for hook, wanted in list(self._readout_hooks.values()):
            chosen = {name: values for name, values in found.readouts.items() if name in wanted}
            hook(group, {**chosen, **began}, rows.lengths)


def _state_dtype(cell: Cell[Any], x: Tensor) -> torch.dtype:
    """The precision of the input; under autocast that of the parameters, so that it is kept."""
    if torch.is_autocast_enabled(x.device.type):
        return next(cell.parameters()).dtype
    return x.dtype
