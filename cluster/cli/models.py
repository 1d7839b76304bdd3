"""Models and pictures of an organisation's instance: `icm model`, and `icm data` for pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from cluster.cli.options import HOME, Home, Json
from cluster.cli.tables import Cell, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from typer._click.core import Context

    from icm_ray.instance.pictures import HeldPictures

__all__ = ["AddCommand", "add_model_command", "check_peers", "put_pictures"]


def model(
    name: Annotated[str, typer.Argument(help="of a model; left out: list them")] = "",
    file: Annotated[Path | None, typer.Argument(help="what torch.export.save wrote")] = None,
    home: Home = HOME,
    quota: Annotated[list[str] | None, typer.Option(help="bob=10000: on how many images of Bob's, in all")] = None,
    standing: Annotated[list[str] | None, typer.Option(help="a peer whose questions are answered at once")] = None,
    requests: Annotated[
        list[str] | None, typer.Option("--request", help="a peer who may ask, each prediction approved (icm requests)")
    ] = None,
    output: Annotated[list[str] | None, typer.Option(help="label, top_k, above, probabilities or logits")] = None,
    input_bound: Annotated[
        float | None, typer.Option(help="the largest magnitude of an image's numbers: 8, or rows of a table of tokens")
    ] = None,
    scale: Annotated[float, typer.Option(help="what pixels are multiplied with first, such as 0.0039215686")] = 1.0,
    normalize: Annotated[str, typer.Option(help="mean,deviation, subtracted and divided by then")] = "",
    samples: Annotated[Path | None, typer.Option(help=".npy of images that bounds are measured on; not shared")] = None,
    remove: Annotated[bool, typer.Option(help="offer it no more")] = False,
    json: Json = False,
) -> None:
    """List, offer or remove models. Peers see the graph; weights stay here. What was used of a quota stays used.

    Example: icm model skin model.pt2 --quota bob=10000 --standing bob
    """
    from icm_ray.errors import InputError, SourceError
    from icm_ray.instance.models import ModelShelf
    from icm_ray.instance.settings import read_settings

    folder = home.expanduser()
    settings, shelf = read_settings(folder), ModelShelf(folder)
    if remove:
        if not name:
            raise InputError("icm model --remove: which model? icm model NAME --remove")
        shelf.remove(name)
    elif name:
        if settings.kind == "dealer":
            raise InputError(f"{settings.name} is a dealer, and owns no models")
        if file is None:
            raise InputError(f"icm model {name}: which file? what torch.export.save wrote follows")
        quotas = dict(map(_quota, quota or ()))
        for option, names in (("--standing", standing), ("--request", requests), ("--quota", quotas)):
            check_peers(folder, option, names or ())
        path, pair = file.expanduser(), _pair(normalize) if normalize else None
        of_owner = _array(samples) if samples is not None else None
        if not path.is_file():
            raise SourceError(f"there is no file {path}", path=str(path))
        from analytics.nn.offering import offered  # takes seconds: torch

        offer, weights = offered(
            name,
            str(path),
            outputs=output or ["label"],
            input_bound=input_bound,
            scale=scale,
            normalize=pair,
            samples=of_owner,
        )
        shelf.offer(offer, weights, quotas, tuple(standing or ()), tuple(requests or ()))
    found: list[tuple[Cell, ...]] = []
    for held in shelf.models.values():
        public, used = held.public, shelf.used(held.public.name)
        counts = [f"{owner} {used.get(owner, 0)} of {most}" for owner, most in held.quotas.items()]
        shape = " x ".join(map(str, public.model.graph.input_shape))
        askers = list(held.standing), list(held.requests), list(shelf.asleep[public.name])
        found.append((public.name, shape, [*public.outputs], counts, *askers, public.graph))
    heads = ("name", "images", "says", "used", "answered at once", "may request", "asleep", "graph")
    table(f"models of {settings.name}", heads, found, json, "nobody")


def put_pictures(
    folder: Path,
    name: str,
    files: Sequence[str],
    column: str | None,
    standing: Sequence[str],
    graphs: Sequence[str],
    mock: int = 0,
    requests: Sequence[str] = (),
) -> HeldPictures:
    """Have pictures under a name. Errors: those of `offer_pictures`."""
    from icm_ray.instance.pictures import PictureShelf, offer_pictures

    paths = [os.path.abspath(os.path.expanduser(file)) for file in files]
    return offer_pictures(PictureShelf(folder), name, paths, column, standing, graphs, mock, requests)


def add_model_command(app: typer.Typer) -> None:
    """Give the `icm` command that of models."""
    app.command("model", cls=AddCommand)(model)


class AddCommand(TyperCommand):
    """One that takes the word add before a name, and means the same with it: icm data add visits visits.parquet."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Leave that word out."""
        return super().parse_args(ctx, args[1:] if args[:1] == ["add"] and len(args) > 1 else args)


def check_peers(folder: Path, option: str, names: Iterable[str]) -> None:
    """Raise `InputError` for a name that the roster does not have, or has revoked: it would never be answered."""
    from icm_ray.errors import InputError
    from icm_ray.instance.roster import Roster

    known = [peer.name for peer in Roster(folder).peers.values() if peer.state != "revoked"]
    for name in names:
        if name not in known:
            there = ", ".join(known) or "nobody yet"
            raise InputError(f"{option} {name}: not a peer (the roster has {there}): icm invite {name} first")


def _quota(text: str) -> tuple[str, int]:
    from icm_ray.errors import InputError

    name, _, images = text.partition("=")
    if not name or not images.isascii() or not images.isdigit():
        raise InputError(f"--quota {text}: it is NAME=IMAGES, such as bob=10000")
    return name, int(images)


def _pair(text: str) -> tuple[float, float]:
    from icm_ray.errors import InputError

    try:
        mean, std = map(float, text.split(","))
    except ValueError:
        raise InputError(f"--normalize {text}: it is two numbers, mean,deviation") from None
    return mean, std


def _array(path: Path) -> object:
    import numpy as np

    from icm_ray.errors import SourceError

    try:
        return np.load(path.expanduser(), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise SourceError(f"{path}: cannot be read as a .npy array of numbers") from None
