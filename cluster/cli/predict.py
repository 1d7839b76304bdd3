"""`icm predict`: a model that was exported, pictures in files, predictions into a file; a session of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from icm_ray.errors import InputError

__all__ = ["predict"]

_SHOWN = 20


def predict(
    model: Annotated[Path, typer.Option(help="the network, as torch.export.save wrote it")],
    data: Annotated[str, typer.Option(help="pictures: a folder, a file, or a pattern such as 'images/*.png'")],
    out: Annotated[Path, typer.Option(help="where the predictions go: a .parquet or .csv file")],
    owner: Annotated[
        str, typer.Option(help="whose pictures they are; the predictions are opened for it alone")
    ] = "bob",
    model_owner: Annotated[str, typer.Option(help="whose network it is")] = "alice",
    output: Annotated[str, typer.Option(help="label, top_k, probabilities, above or logits")] = "label",
    k: Annotated[int | None, typer.Option(help="of top_k: how many classes")] = None,
    threshold: Annotated[float | None, typer.Option(help="of above: a logit")] = None,
    classes: Annotated[str, typer.Option(help="names of the classes, as a,b,c")] = "",
    scale: Annotated[float, typer.Option(help="what pixels, 0 to 255, are multiplied with")] = 1 / 255,
    mean: Annotated[
        str, typer.Option(help="then subtracted: one number, or one for each channel, as 0.5,0.4,0.4")
    ] = "0",
    std: Annotated[str, typer.Option(help="then divided by: the same")] = "1",
    keep_going: Annotated[bool, typer.Option(help="leave out pictures beyond a bound, rather than stop")] = False,
    lanes: Annotated[int | None, typer.Option(help="how many batches at a time")] = None,
) -> None:
    """Let a network predict on pictures that its owner never sees; nobody sees the network.

    Example: icm predict --model skin.pt2 --data 'images/*.png' --out labels.csv
    """
    import analytics as an
    from analytics.nn.exported import load_exported
    from analytics.nn.written import writing
    from icm_ray import Session

    network = load_exported(model)
    wanted: Any = output  # the model says which there are
    numbers = _numbers(mean, "--mean"), _numbers(std, "--std")
    with Session(parties=(model_owner, owner), lanes=lanes) as session:
        secure = an.SecureModel(session, network, model_owner, scale=scale, normalize=numbers)
        prediction = secure.predict(
            data,
            owner,
            wanted,
            k=k,
            threshold=threshold,
            errors="mask" if keep_going else "raise",
            id_column="file",
        )
        batches = writing(prediction.iter_batches(to=owner), out)
        shown = _rows(batches, output, [name for name in classes.split(",") if name])
    spent = prediction.spent
    if spent is None:
        raise InputError("no prediction was made")
    console = Console()
    console.print(escape(f"{output} of {prediction.count} pictures of {owner}'s, by {model_owner}'s {model.name}"))
    console.print(shown)
    speed = f"{(prediction.count or 0) / spent.seconds:.1f} pictures/s"
    traffic = f"{spent.sent_bytes / 1e6:.1f} MB between the parties, {spent.dealt_bytes / 1e6:.1f} MB from the dealer"
    console.print(escape(f"{speed}, {traffic}; {len(prediction.failed)} left out; written to {out}"))


def _numbers(text: str, option: str) -> list[float] | float:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} is one number, or one for each channel with commas, not {text!r}") from None
    return numbers[0] if len(numbers) == 1 else numbers


def _rows(batches: Iterable[Mapping[str, Any]], output: str, names: list[str]) -> Table:
    """A table of the first rows; all batches are taken."""
    table = Table("file", output)
    left = _SHOWN
    for batch in batches:
        for file, value in islice(zip(batch["file"], batch[output], strict=True), left):
            table.add_row(escape(str(file)), escape(_text(value.tolist(), output, names)))
            left -= 1
    return table


def _text(value: Any, output: str, names: list[str]) -> str:
    """Classes by their names, numbers with three digits, what was left out as such."""
    if isinstance(value, list):
        return ", ".join(_text(item, output, names) for item in value)
    if output in {"label", "top_k"}:
        if value < 0:
            return "left out"
        return names[value] if value < len(names) else str(value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)
