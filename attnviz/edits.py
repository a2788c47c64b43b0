"""Changes of what attention reads, another one for every row of a batch."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

import cells

__all__ = ["WHOLE", "Ablation", "Collector", "Method", "References", "check_method"]

Method = Literal["zero", "remove", "mean", "resample", "uniform", "permute", "frozen"]
"""What happens to what is ablated; see `Ablation`."""

WHOLE: tuple[Method, ...] = ("uniform", "permute", "frozen")
"""Methods that change all weights of a head at once."""

_NEEDS_REFERENCES = ("mean", "resample", "frozen")
# Below this share of the weights' magnitudes, their sum amplifies what is left a thousandfold.
_SMALLEST_SUM = 1e-3
_SAMPLES = 256


@dataclass(frozen=True)
class References:
    """What attention reads otherwise: means and samples over timesteps of a reference set.

    Arguments:
        weights: The mean weight of each source, over the timesteps at which it is reachable.
        values: The mean value.
        samples: Values of single timesteps at which every source was reachable.
    """

    weights: Float[Tensor, "head source"]
    values: Float[Tensor, "head source unit"]
    samples: Float[Tensor, "sample head source unit"]


def check_method(method: str, references: References | None) -> Method:
    """A method by its name, with what it needs.

    Raises:
        ValueError: If there is none of that name, or it needs references and has none.
    """
    if method not in get_args(Method):
        raise ValueError(f"An ablation's method is one of {get_args(Method)}, got {method!r}.")
    if method in _NEEDS_REFERENCES and references is None:
        raise ValueError(f"The method {method!r} needs reference texts; pass reference=[...].")
    return method  # type: ignore[return-value]


@dataclass(frozen=True)
class Ablation:
    r"""An edit that takes other sources from every row of a batch.

    `zero` sets the weight to 0: what the source gave is gone. `remove` sets the score to −∞: the
    other weights take its share, :math:`w'_j = w_j \sum_m w_m / \sum_{m\,\mathrm{kept}} w_m`.
    `mean` and `resample` leave the weight and replace the value, by the mean of its lag or by one
    that stood there in a reference text. `uniform`, `permute` and `frozen` change all weights of
    the heads chosen: equal, shuffled among reachable sources, or the reference's mean by lag.
    Only sources that are reachable are changed.

    Arguments:
        method: One of these.
        sources: Which sources each row loses.
        timesteps: At which timestep, in original time; −1 for all of them.
        heads: Which heads each row changes.
        references: For `mean`, `resample` and `frozen`.
        numbers: For `resample` and `permute`: what a row draws at a timestep depends on its number
            and the timestep, on nothing else; its place in the batch if not given.

    Raises:
        ValueError: For `remove`, when what is left nearly sums to zero or changes its sign
            (RRA's weights can), because it would be blown up beyond anything the model has seen.
    """

    method: Method
    sources: Bool[Tensor, "row source"]
    timesteps: Int[Tensor, "row"]
    heads: Bool[Tensor, "row head"]
    references: References | None = None
    numbers: Int[Tensor, "row"] | None = None

    def __call__(
        self,
        weights: Float[Tensor, "batch head source"],
        values: Float[Tensor, "batch head source unit"],
        at: cells.At,
    ) -> tuple[Tensor, Tensor]:
        """Weights and values as attention then reads them."""
        if at.row is None or at.timestep is None:
            raise ValueError("An Ablation is registered on a layer: it needs to know row and time.")
        row = at.row.cpu()
        now = (self.timesteps[row] < 0) | (self.timesteps[row] == at.timestep.cpu())
        heads = (self.heads[row] & now[:, None]).to(weights.device)
        here = heads[:, :, None] & at.reachable[:, None]
        if self.method in WHOLE:
            return self._weights(weights, heads, here, at), values
        here = here & self.sources[row].to(weights.device)[:, None]
        if self.method == "zero":
            return weights.masked_fill(here, 0), values
        if self.method == "remove":
            return _without(weights, here), values
        return self._replaced(weights, values, here, at)

    def _weights(
        self,
        weights: Float[Tensor, "batch head source"],
        heads: Bool[Tensor, "batch head"],
        here: Bool[Tensor, "batch head source"],
        at: cells.At,
    ) -> Tensor:
        """Other weights for whole heads, with the sum that they had over what is reachable."""
        if self.method == "permute":
            return torch.where(here, self._shuffled(weights, here, at), weights)
        if self.method == "uniform":
            other = torch.ones_like(weights)
        else:
            other = self._references.weights.to(weights).expand_as(weights)
        other, held = other * here, weights * here
        total = other.sum(dim=-1, keepdim=True)
        scaled = other * held.sum(dim=-1, keepdim=True) / torch.where(total == 0, 1, total)
        return torch.where(heads[..., None] & here, scaled, weights)

    def _shuffled(self, weights: Tensor, here: Tensor, at: cells.At) -> Tensor:
        """Weights in another order among the reachable sources of each row and head."""
        heads, sources = weights.shape[1:]
        place = torch.arange(heads * sources).view(heads, sources)
        keys = _scrambled(self._drawing(at)[:, None, None] * (heads * sources) + place)
        keys = keys.to(weights.device).masked_fill(~here, torch.iinfo(torch.long).max)
        places = torch.where(here, 0.0, 1.0).argsort(dim=-1, stable=True)  # reachable ones first
        shuffled = weights.gather(-1, keys.argsort(dim=-1))
        return torch.empty_like(weights).scatter_(-1, places, shuffled)

    def _drawing(self, at: cells.At) -> Int[Tensor, "batch"]:
        """A number for each row and timestep that others do not share."""
        row, timestep = at.row.cpu(), at.timestep.cpu()  # type: ignore[union-attr]
        numbers = row if self.numbers is None else self.numbers[row]
        return _scrambled(numbers * 100_003 + timestep)

    def _replaced(
        self, weights: Tensor, values: Tensor, here: Tensor, at: cells.At
    ) -> tuple[Tensor, Tensor]:
        """Other values at the sources, with the weights they have."""
        known = self._references
        if self.method == "mean":
            other = known.values.to(values).expand_as(values)
        else:
            other = known.samples[self._drawing(at) % len(known.samples)].to(values)
        if not at.lags:  # features: what is read is weight times value, and is replaced as one
            weights = torch.where(here, 1.0, weights)
        return weights, torch.where(here[..., None], other, values)

    @property
    def _references(self) -> References:
        if self.references is None:
            raise ValueError(f"The method {self.method!r} needs references.")
        return self.references


def _scrambled(numbers: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Numbers in place of numbers, as if drawn: the same for the same."""
    for factor, shift in ((-0x61C8864680B583EB, 31), (-0x40A7B892E31B1A47, 29)):
        numbers = numbers * factor  # wraps around
        numbers = numbers ^ ((numbers >> shift) & ((1 << (64 - shift)) - 1))
    return numbers & torch.iinfo(torch.long).max


def _without(
    weights: Float[Tensor, "batch head source"], here: Bool[Tensor, "batch head source"]
) -> Tensor:
    kept = weights.masked_fill(here, 0)
    before, left = weights.sum(dim=-1, keepdim=True), kept.sum(dim=-1, keepdim=True)
    touched, nothing = here.any(dim=-1, keepdim=True), kept.abs().sum(dim=-1, keepdim=True) == 0
    size = weights.abs().sum(dim=-1, keepdim=True)
    wrong = touched & ~nothing & ((left.abs() < _SMALLEST_SUM * size) | (left * before < 0))
    if bool(wrong.any()):
        raise ValueError(
            "Without the ablated sources the remaining weights nearly cancel or change the sign "
            f"of their sum (from {float(before[wrong][0]):.3g} to {float(left[wrong][0]):.3g}), so "
            "they cannot be rescaled to what it was. Use method='zero' or 'mean'."
        )
    scaled = kept * before / torch.where(left == 0, 1, left)
    return torch.where(touched, scaled, weights)


@dataclass
class Collector:
    """An edit that changes nothing, and collects references."""

    _sums: dict[str, Tensor] = field(default_factory=dict)
    _kept: list[Tensor] = field(default_factory=list)
    _calls: int = 0

    def __call__(
        self,
        weights: Float[Tensor, "batch head source"],
        values: Float[Tensor, "batch head source unit"],
        at: cells.At,
    ) -> tuple[Tensor, Tensor]:
        """The weights and values themselves."""
        there = at.reachable[:, None].to(weights.dtype)
        # Of features, what is read is weight times value.
        read = values if at.lags else weights[..., None] * values
        self._add("count", there.sum(dim=0).expand_as(weights[0]))
        self._add("weights", (weights * there).sum(dim=0))
        self._add("values", (read * there[..., None]).sum(dim=0))
        full = at.reachable.all(dim=-1)
        if bool(full.any()):
            self._calls += 1
            generator = torch.Generator().manual_seed(self._calls)
            chosen = torch.randint(int(full.sum()), (1,), generator=generator)
            self._kept.append(read[full][chosen].detach().cpu())
        return weights, values

    def _add(self, name: str, part: Tensor) -> None:
        part = part.detach().double().cpu()
        self._sums[name] = self._sums.get(name, torch.zeros_like(part)) + part

    def references(self) -> References:
        """What was collected.

        Raises:
            ValueError: If no timestep of the reference texts reached back to every source.
        """
        if not self._kept:
            raise ValueError(
                "No timestep of the reference texts reaches back to every source of attention. "
                "Give longer texts."
            )
        count = self._sums["count"].clamp_min(1)
        samples = torch.cat(self._kept)
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(samples), generator=generator)[:_SAMPLES]
        return References(
            self._sums["weights"] / count,
            self._sums["values"] / count[..., None],
            samples[chosen],
        )
