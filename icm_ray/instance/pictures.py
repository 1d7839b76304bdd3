"""What an organisation has of pictures: where they lie, and which models of whom else may be asked about them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import InputError
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.shelf import Shelf, all_but
from icm_ray.network.outputs import Output
from icm_ray.owner.images.files import open_images, stored_shape
from icm_ray.owner.images.pictures import PICTURE_SUFFIXES
from icm_ray.owner.mock_rows import MOST_MOCK_ROWS
from icm_ray.payload import Name
from icm_ray.query.image_tasks import ImageSource

__all__ = ["HeldPictures", "OfferedPictures", "PictureShelf", "are_pictures", "offer_pictures"]

_FILE: Final = "pictures.json"
_TRIED: Final = (3, 8, 8)
"""The shape that pictures are opened as when they are offered: of networks that read them each has its own."""


class OfferedPictures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What peers see of them. images: how many. mock: how many mock pictures predictions are tried on."""

    name: Name
    images: int
    mock: Annotated[int, msgspec.Meta(ge=0, le=MOST_MOCK_ROWS)] = 0


class HeldPictures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures as their owner keeps them. paths: of the owner's own nodes; column: of Parquet files, the images.

    The owner itself may ask any model about them, since it alone hears the answer. standing: peers who may, too.
    graphs: the digests of the models' public facts that these may ask with (`OfferedModel.graph`). outputs: what for.
    requests: peers who may ask with any, each prediction once it is approved. offered: another one each time that they
    are: approvals are for that one alone. identities: of these peers, to whom they were offered.
    """

    public: OfferedPictures
    paths: tuple[str, ...]
    column: str | None = None
    standing: tuple[Name, ...] = ()
    graphs: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ("label",)
    requests: tuple[Name, ...] = ()
    offered: Name = ""
    identities: dict[Name, str] = {}

    @property
    def peers(self) -> tuple[str, ...]:
        """To whom something is given."""
        return tuple(dict.fromkeys((*self.standing, *self.requests)))

    def without(self, names: Collection[str]) -> HeldPictures:
        """The same, with nothing given to these."""
        standing, requests = all_but(names, self.standing), all_but(names, self.requests)
        return replace(self, standing=standing, requests=requests)

    @property
    def version(self) -> str:
        """Which pictures they are: approvals are for these."""
        return hashlib.sha256(msgspec.msgpack.encode((self.public, self.paths, self.column, self.offered))).hexdigest()

    def stand_open(self, asker: str, graph: str, output: str) -> bool:
        """Whether a peer may ask at once for that output of a model of that graph."""
        return asker in self.standing and graph in self.graphs and output in self.outputs

    def source(self, shape: tuple[int, ...]) -> ImageSource:
        """As images of a shape."""
        return ImageSource(self.paths, shape, self.column)


class PictureShelf(Shelf[HeldPictures]):
    """Of an instance, in its folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / _FILE, HeldPictures, "picture")
        self.folder = folder

    @property
    def pictures(self) -> Mapping[str, HeldPictures]:
        """By name."""
        return self.all


def are_pictures(paths: Sequence[str]) -> bool:
    """Whether files, or those in a directory, hold images by their names: pictures and .npy arrays; Parquet may hold
    tables or images.
    """
    kinds = PICTURE_SUFFIXES | {".npy"}
    named = [Path(path) for path in paths]
    inside = [file for path in named if path.is_dir() for file in path.iterdir()]
    return any(path.suffix.lower() in kinds for path in named + inside)


def offer_pictures(
    shelf: PictureShelf,
    name: str,
    paths: Sequence[str],
    column: str | None = None,
    standing: Sequence[str] = (),
    graphs: Sequence[str] = (),
    mock: int = 0,
    requests: Sequence[str] = (),
) -> HeldPictures:
    """Have pictures under a name. paths: absolute; wildcards and directories too. mock: as of `OfferedPictures`.
    Errors: those of opening them; `InputError` for a name that is none, or peers who may ask without a model that they
    may ask with.
    """
    if not name.isidentifier():
        raise InputError(f"{name!r} is no name of pictures: letters, digits and _")
    if standing and not graphs:
        raise InputError("whoever else may ask about pictures asks a model that you know: --graph (icm model shows it)")
    if name in Catalogue(shelf.folder).datasets:
        raise InputError(f"a dataset is called {name!r}: icm data {name} --remove")
    info = open_images(ImageSource(tuple(paths), stored_shape(paths) or _TRIED, column)).info
    public = OfferedPictures(name, sum(info.rows), mock)
    peers = tuple(standing), tuple(graphs)
    held = HeldPictures(public, tuple(paths), column, *peers, requests=tuple(requests), offered=secrets.token_hex(16))
    shelf.put(held)
    return held
