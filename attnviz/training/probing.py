"""What is probed: a few validation examples, and what a model says and looks at meanwhile."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor, nn

import cells
from attnviz.analysis import age_kernel, lag_kernel
from attnviz.analysis.selection import inside
from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording import available_signals, record
from attnviz.recording.signals import recurrent_layers
from attnviz.store.probes import STEP
from attnviz.tasks import GeneratedTask, LabelledTask, LanguageTask, TextTask
from attnviz.trace import Trace
from attnviz.training.batching import slices
from attnviz.training.data import encode_split
from attnviz.training.recipe import Recipe

__all__ = ["ProbeSet", "probe_set", "snapshot"]

BATCH = 64  # sequences that are read at once
PIECE = 100  # tokens a sequence, of a running text
AGES = 10  # that gate attention tells apart; fewer of shorter sequences
_KERNELS = {"attention": lag_kernel, "gate_attention": age_kernel}


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """Sequences that a model is asked about again and again.

    Arguments:
        ids: A name for each.
        inputs: Tokens or numbers, padded.
        lengths: Timesteps of each.
        targets: What is right: classes, numbers, or the next tokens.
    """

    ids: tuple[str, ...]
    inputs: Tensor
    lengths: Int[Tensor, "sequence"]
    targets: Tensor

    def batches(self) -> Iterator[slice]:
        """Its rows, as many as are read at once."""
        return slices(len(self.ids), BATCH)


def probe_set(
    task: TextTask | GeneratedTask | LabelledTask | LanguageTask,
    model: SequenceModel,
    recipe: Recipe,
    count: int,
) -> ProbeSet:
    """So many validation examples, the same for every model that is trained on the task.

    Those with a class are spread evenly over the split, for data sets tend to be sorted by class;
    of what is drawn they are the first, and of a running text its beginning, in pieces of 100
    tokens that are read without what came before.

    Arguments:
        task: With the split `validation`.
        model: With a vocabulary, if it reads texts.
        recipe: How texts are read.
        count: How many; all of them if there are not so many.

    Returns:
        The examples.
    """
    if isinstance(task, LanguageTask):
        return _pieces(task, count)
    if isinstance(task, TextTask):
        split = task.splits["validation"].spread(count)
        if model.vocabulary is None:
            raise ValueError(f"{model.name} has no vocabulary, so it cannot read texts.")
        read = encode_split(split, model.vocabulary, recipe)
        return ProbeSet(split.ids, *read.batch(range(len(split))))
    if isinstance(task, LabelledTask):
        some = task.splits["validation"].spread(count)
        features, targets, ids = some.features(), some.labels, some.ids
        lengths = torch.from_numpy(some.timesteps)
    else:
        drawn = task.splits["validation"]
        features, targets = drawn.features[:count], drawn.targets[:count]
        ids = tuple(f"validation/{row}" for row in range(len(features)))
        lengths = torch.full((len(features),), features.shape[1])
    return ProbeSet(ids, torch.from_numpy(features), lengths, torch.from_numpy(targets))


def _pieces(task: LanguageTask, count: int) -> ProbeSet:
    text = torch.from_numpy(task.splits["validation"].ids.astype(np.int64))
    size = min(PIECE, len(text) - 1)
    pieces = min(count, (len(text) - 1) // size)
    inputs, targets = (text[at : at + pieces * size].view(pieces, size) for at in (0, 1))
    ids = tuple(f"validation/{row * size}" for row in range(pieces))
    return ProbeSet(ids, inputs, torch.full((pieces,), size), targets)


def snapshot(
    model: SequenceModel,
    probed: ProbeSet,
    *,
    keep: Iterable[str] | None,
    whole: bool,
    seed: int,
) -> xr.DataTree:
    """What a model says and looks at now; nothing of it is touched.

    It reads in eval mode, and what is drawn from a random state meanwhile depends on the seed
    alone. Without `whole`, attention is the mean that `lag_kernel` and `age_kernel` take, with its
    spread over sequences; any other signal the mean over the timesteps of each sequence and then
    over sequences.

    Arguments:
        model: As it is.
        probed: What it reads.
        keep: Signals; the cells' declared defaults and gate attention if not given.
        whole: Every signal at every timestep of every sequence.
        seed: Of what is drawn.

    Returns:
        The layout of `open_probes`, with one entry along `step`.

    Raises:
        KeyError: If no cell of the model has one of the signals.
        ValueError: If no sequence is long enough for a mean.
    """
    device = next(model.parameters()).device
    wanted = _signals(model, keep)
    losses, outputs = [], []
    ages = min(AGES, int(probed.lengths.max()))
    watched = record(model, wanted, gradients=False, ages=ages)
    with evaluated(model), torch.no_grad(), watched as recording:
        torch.manual_seed(seed)
        random.seed(seed)
        for rows in probed.batches():
            recording.describe(id=list(probed.ids[rows]))
            said = model(probed.inputs[rows].to(device), probed.lengths[rows])
            losses.append(_losses(model, said, probed.targets[rows].to(device)).cpu())
            if not model.per_step:
                outputs.append(said.cpu())
    trace = recording.trace
    tree = xr.DataTree(dataset=_root(model, probed, torch.cat(losses), outputs))
    for group, cell in _cells(model):
        held = trace.tree.children[group].to_dataset(inherit=False)
        kept = _whole(trace, group, held) if whole else _means(trace, group, held)
        kept = kept.assign(_norm(cell) if "lag_kernel" in kept else {})
        tree[group] = xr.DataTree(_with_step(kept, held.attrs))
    return tree


def _signals(model: SequenceModel, keep: Iterable[str] | None) -> list[str] | None:
    """What is recorded: static kernels are in every recording, and no signal."""
    if keep is None:
        return None
    constants = {name for _, cell in _cells(model) for name in cell.constants()}
    asked = {keep} if isinstance(keep, str) else set(keep)
    known = {*constants, *available_signals(model)}
    if unknown := asked - known:
        raise KeyError(f"The model has no signal {sorted(unknown)}; it has {sorted(known)}.")
    return sorted(asked - constants)


def _cells(model: SequenceModel) -> Iterator[tuple[str, cells.Cell]]:  # type: ignore[type-arg]
    for prefix, layer in recurrent_layers(model).items():
        for group, cell in layer.groups.items():
            yield prefix + group, cell


def _losses(model: SequenceModel, said: Tensor, targets: Tensor) -> Float[Tensor, "sequence"]:
    """The loss of each sequence on its own."""
    if model.kind == "regression":
        return (said - targets).square().mean(dim=-1)
    if model.kind == "classification":
        return nn.functional.cross_entropy(said, targets, reduction="none")
    return nn.functional.cross_entropy(said.mT, targets, reduction="none").mean(dim=-1)


def _root(
    model: SequenceModel, probed: ProbeSet, losses: Tensor, outputs: list[Tensor]
) -> xr.Dataset:
    said: dict[str, object] = {
        "id": ("sequence", np.array(probed.ids, dtype=object)),
        "length": ("sequence", probed.lengths.numpy().astype(np.int32)),
        "loss": ((STEP, "sequence"), losses.numpy()[None]),
    }
    if model.kind == "regression":
        said["target"] = (("sequence", "class"), probed.targets.numpy())
    if model.kind == "classification":
        said["label"] = ("sequence", probed.targets.numpy().astype(np.int32))
    if outputs:
        said["prediction"] = ((STEP, "sequence", "class"), torch.cat(outputs).numpy()[None])
    dataset = xr.Dataset(said)
    if "class" in dataset.dims:
        dataset = dataset.assign_coords({"class": np.array(model.classes, dtype=object)})
    return dataset


def _whole(trace: Trace, group: str, held: xr.Dataset) -> xr.Dataset:
    """Every signal as it is; NaN beyond each sequence's length."""
    if "time" not in held.dims:
        return held
    within = inside(trace, group)
    return held.map(lambda one: one.where(within) if "time" in one.dims else one, keep_attrs=True)


def _means(trace: Trace, group: str, held: xr.Dataset) -> xr.Dataset:
    """Every signal without sequence and time."""
    kept: dict[str, xr.DataArray] = {}
    for name, values in held.data_vars.items():
        own = _KERNELS.get(str(name))
        if "time" not in values.dims:
            kept[str(name)] = values
        elif own is None:
            mean = values.where(inside(trace, group)).astype(np.float64).mean("time")
            kept[str(name)] = mean.mean("sequence").astype(values.dtype)
        elif "lag_kernel" not in held or name != "attention":
            statistic = own(trace, group=group)
            kept[str(name)] = statistic.values.astype(values.dtype)
            if statistic.uncertainty is not None:
                kept[f"{name}_spread"] = statistic.uncertainty.astype(values.dtype)
    return xr.Dataset(kept)


def _norm(cell: nn.Module) -> dict[str, xr.DataArray]:
    """‖w‖ of RRA's lag scores: normalising hides whether they grow."""
    scores = getattr(cell, "lag_scores", None)
    if not isinstance(scores, Tensor):
        return {}
    return {"lag_score_norm": xr.DataArray(scores.detach().norm().cpu().numpy())}


def _with_step(kept: xr.Dataset, attributes: dict[str, object]) -> xr.Dataset:
    """Everything but labels as of one step."""
    return kept.map(lambda one: one.expand_dims(STEP)).assign_attrs(attributes)
