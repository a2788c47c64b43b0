"""What the explorer shows of one sequence in one cell: plain arrays, without torch or widgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

__all__ = ["Edited", "Extra", "Lens", "Panel", "Series", "Switches", "Track", "Variant"]


@dataclass(frozen=True, eq=False)
class Extra:
    """A part of a lens that stands at no source of its own, such as the initial state.

    Arguments:
        label: What it is.
        values: One number a timestep.
    """

    label: str
    values: Float[np.ndarray, "time"]


@dataclass(frozen=True, eq=False)
class Lens:
    """One way to say how much each timestep took from each source.

    Arguments:
        name: Such as `attention`.
        label: Its name in words.
        says: One sentence: what it is, and what it is not.
        unit: What one unit of the values is.
        axis: What the sources are: `lag`, `age` (0 is the timestep itself) or `feature`.
        sources: The lags or ages, or the features' numbers.
        values: `(head, time, source)`; NaN where nothing stands.
        kinds: Of each feature, whether it is of the `input` or `hidden`.
        at: The timesteps that have a row; all of them if None.
        extras: Parts at no source.
    """

    name: str
    label: str
    says: str
    unit: str
    axis: str
    sources: Sequence[int]
    values: Float[np.ndarray, "head row source"]
    kinds: Sequence[str] = ()
    at: Sequence[int] | None = None
    extras: Sequence[Extra] = ()

    @property
    def heads(self) -> int:
        """How many heads it tells apart."""
        return len(self.values)

    @property
    def signed(self) -> bool:
        """Whether a value is negative."""
        return bool(np.nanmin(self.values, initial=0.0) < 0)

    def feature(self, number: int) -> str:
        """What a feature is called: its kind, and its number within the kind."""
        kind = self.kinds[number]
        return f"{kind} {number - list(self.kinds).index(kind)}"

    def head(self, head: int) -> Float[np.ndarray, "row source"]:
        """The values of one head; of −1, their mean.

        Raises:
            IndexError: If there is no such head.
        """
        if not -1 <= head < self.heads:
            raise IndexError(
                f"The {self.label} has {self.heads} heads, numbered from 0 (−1 for their mean), "
                f"but head {head} was asked for."
            )
        if head >= 0 or self.heads == 1:
            chosen: Float[np.ndarray, "row source"] = self.values[max(head, 0)]
        else:
            chosen = self.values.mean(axis=0, dtype=np.float64).astype(self.values.dtype)
        return chosen


@dataclass(frozen=True, eq=False)
class Series:
    """One line of a track.

    Arguments:
        label: What it is.
        values: One number a timestep; NaN where there is none.
    """

    label: str
    values: Float[np.ndarray, "time"]


@dataclass(frozen=True, eq=False)
class Track:
    """Numbers along the timesteps, drawn below the words.

    Arguments:
        name: Such as `score`.
        label: Its name in words.
        unit: What one unit of the values is.
        kind: `lines`, `log` (lines on a logarithmic axis) or `stack` (shares of a whole).
        series: The lines.
        limits: The range that the values cannot leave, if there is one.
    """

    name: str
    label: str
    unit: str
    kind: str
    series: Sequence[Series]
    limits: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Edited:
    """The same sequence under an edit, run on the same path as the unedited one.

    Arguments:
        label: What was changed.
        prediction: Probability of each class.
        lenses: What it read.
        tracks: What changed along the timesteps.
        unedited: The prediction without the edit on that path.
        before_lenses: What it read without the edit on that path.
        before_tracks: The tracks without the edit on that path.
    """

    label: str
    prediction: Sequence[float]
    lenses: Sequence[Lens]
    tracks: Sequence[Track]
    unedited: Sequence[float] = ()
    before_lenses: Sequence[Lens] = ()
    before_tracks: Sequence[Track] = ()


@dataclass(frozen=True, eq=False)
class Variant:
    """A result under an edit, made beforehand.

    Arguments:
        edits: The edit, as the trait `edits` has it.
        edited: What came out.
    """

    edits: Mapping[str, object]
    edited: Edited


@dataclass(frozen=True)
class Switches:
    """What of a cell can be switched off.

    Arguments:
        lags: The lags that its attention reads.
        heads: How many heads it has.
    """

    lags: Sequence[int]
    heads: int


@dataclass(frozen=True, eq=False)
class Panel:
    """All that is shown of one sequence in one cell.

    Arguments:
        key: What tells the panels apart, such as the model's name.
        cell: The cell's name, such as `RRA`.
        layer: The layer and direction that is shown.
        layers: All that could be.
        text: The whole text; tokens are slices of it.
        spans: Start and end of each token, in characters.
        lenses: Ways to say what it read.
        tracks: Numbers along the timesteps.
        classes: Names of the classes.
        label: The right class; −1 where it is not known.
        prediction: Probability of each class; empty where the trace holds no prediction.
        direction: 1, or −1 where the layer reads from the end.
        history: Steps carried in from before.
        initial_state: Whether an initial state stands before the first step.
        notes: What a reader must know, such as that the text was cut.
        switches: What can be switched off; None if nothing.
        edited: The same under the edit that is chosen.
        variants: Results under edits made beforehand.
    """

    key: str
    cell: str
    layer: str
    layers: Sequence[str]
    text: str
    spans: Int[np.ndarray, "time 2"]
    lenses: Sequence[Lens]
    tracks: Sequence[Track]
    classes: Sequence[str] = ()
    label: int = -1
    prediction: Sequence[float] = ()
    direction: int = 1
    history: int = 0
    initial_state: bool = True
    notes: Sequence[str] = ()
    switches: Switches | None = None
    edited: Edited | None = None
    variants: Sequence[Variant] = field(default_factory=tuple)

    @property
    def length(self) -> int:
        """How many timesteps it has."""
        return len(self.spans)

    def tokens(self) -> list[str]:
        """The tokens, as slices of the text."""
        return [self.text[start:end] for start, end in self.spans]

    @property
    def shown(self) -> Sequence[Lens]:
        """The lenses under the edit that is chosen; those that know no edit say so."""
        if self.edited is None:
            return self.lenses
        known = {lens.name for lens in self.edited.lenses}
        others = [lens for lens in self.lenses if lens.name not in known]
        same = [replace(lens, label=f"{lens.label}, unedited") for lens in others]
        return [*self.edited.lenses, *same]

    def lens(self, name: str) -> Lens:
        """The lens of a name, or the first where the cell has none of that name.

        It is the edited one where an edit is chosen.

        Raises:
            LookupError: If there is no lens at all.
        """
        if not self.lenses:
            raise LookupError(
                f"{self.key} shows nothing to look through: the trace holds no attention, "
                "contribution or gate attention. Record with keep=None or keep='attention'."
            )
        return next((lens for lens in self.shown if lens.name == name), self.shown[0])
