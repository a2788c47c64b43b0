"""`attnviz ablate`: what changes when attention cannot read something."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from attnviz.cli.console import checked_output, out, progress

if TYPE_CHECKING:
    import xarray as xr


def ablate(  # noqa: PLR0913  (one parameter an option)
    model: Annotated[str, typer.Argument(help="A shipped model, or a folder of a run or model.")],
    text: Annotated[
        list[str] | None, typer.Option(help="Read this text; may be given several times.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Read this data set: imdb, or a CSV or TSV file.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="The file's column of texts.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The file's column of labels.")] = None,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Which part of the data set.")
    ] = "validation",
    limit: Annotated[int, typer.Option(help="Read only so many sequences.", min=1)] = 20,
    level: Annotated[
        Literal["lag", "step", "pair", "head", "feature"],
        typer.Option(help="What one edit takes away."),
    ] = "lag",
    method: Annotated[
        Literal["zero", "remove", "mean", "resample", "uniform", "permute", "frozen"],
        typer.Option(help="What happens to it; some methods need --reference."),
    ] = "zero",
    reference: Annotated[
        list[str] | None, typer.Option(help="A text that other values are taken from.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Layer and direction, such as l0.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write all effects to this .nc file.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw them; the suffix says pdf, svg or png.")
    ] = None,
) -> None:
    """Takes away what attention reads, inside the recurrence, and shows what changes.

    Both arms run step by step, so that an edit that changes nothing has no effect at all.

    Example: attnviz ablate rra-imdb --text "Slow, but wonderful." --figure ablation.pdf
    """
    from attnviz.pretrained import load_model
    from attnviz.recording import Texts
    from attnviz.replay import ablate as run
    from attnviz.store import save_effects

    for path in (output, figure):
        if path is not None:
            checked_output(path)
    if output is not None and output.suffix.lower() != ".nc":
        raise ValueError(f"Effects are written as .nc (netCDF), but {output.name} does not end so.")
    if (task is None) == (text is None):
        raise ValueError("Say what to read: one or more --text '...', or --task imdb with --split.")
    loaded = load_model(model)
    if text is not None:
        texts = Texts(text)
    else:
        from attnviz.cli.record import some_texts

        texts = some_texts(str(task), split, limit, text=text_column, label=label_column, data=data)
    with progress(f"ablating {loaded.name}") as advance:
        effects = run(
            loaded, texts, level=level, method=method, reference=reference, group=layer,
            progress=advance,
        )  # fmt: skip
    _show(effects)
    if output is not None:
        save_effects(effects, output)
        out.print(f"{output}: all effects (attnviz.open_effects).")
    if figure is not None:
        _draw(effects, figure)


def _show(effects: "xr.Dataset") -> None:
    """The mean effects as a table; of maps the strongest."""
    from attnviz.analysis.ablation import ablation_effect

    count = effects.sizes["sequence"]
    margin = ablation_effect(effects, measure="margin")
    table = Table(box=None, pad_edge=False)
    axes = [str(axis) for axis in margin.values.dims]
    for name in [*axes, "effect on the margin", "95 % interval", "probability", "loss"]:
        table.add_column(name.replace("_", " "), justify="right")
    others = [ablation_effect(effects, measure=m).values for m in ("probability", "loss")]
    flat = margin.values.stack(edit=axes)
    order = range(flat.sizes["edit"])
    if flat.sizes["edit"] > 40:
        order = flat.fillna(0).values.__abs__().argsort()[::-1][:15].tolist()
    for place in order:
        at = flat["edit"].values[place]
        where = dict(zip(axes, at if isinstance(at, tuple) else (at,), strict=True))
        ends = ""
        if margin.uncertainty is not None:
            low, high = margin.uncertainty.sel(where).values
            ends = f"{low:+.3f} to {high:+.3f}"
        numbers = [f"{float(values.sel(where)):+.3f}" for values in others]
        table.add_row(
            *(str(value) for value in where.values()),
            f"{float(flat.values[place]):+.3f}", ends, *numbers,
        )  # fmt: skip
    out.print(
        f"{escape(str(effects.attrs['model']))}, layer {effects.attrs['group']}: mean over "
        f"{count} text{'' if count == 1 else 's'}, edited minus unedited"
        + (", the 15 strongest" if flat.sizes["edit"] > 40 else "")
    )
    out.print(table)


def _draw(effects: "xr.Dataset", path: Path) -> None:
    from attnviz.plots import plot_ablation, save_figure, style

    with style("paper"):
        ax = plot_ablation(effects)
        names = ("model", "cell", "weights_digest", "level", "method", "group")
        said = {name: str(effects.attrs[name]) for name in names}
        command = shlex.join(["attnviz", *sys.argv[1:]])
        save_figure(ax, path, provenance={**said, "command": command})
    out.print(f"{path}: the effects with their intervals.")
