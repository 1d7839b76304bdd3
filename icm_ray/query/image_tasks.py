"""What an owner's worker is asked for of images: files to open, and some of their images as inputs of a prediction."""

from __future__ import annotations

import msgspec

from icm_ray.payload import Shape, Word32

__all__ = ["ImageRows", "ImageSource"]


class ImageSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="source", tag="images"):
    """Files on the owner's node with images of one shape: pictures, .npy arrays (n, *shape), or a Parquet column.

    A path may hold wildcards, or be a directory, of which all files below count. column: of Parquet files, the images;
    ids: the column of their ids. None: the only one that may hold images, and no ids.
    """

    paths: tuple[str, ...]
    shape: Shape
    column: str | None = None
    ids: str | None = None


class ImageRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="task", tag="images"):
    """Images of a table as ring elements (len(rows), *shape), f fractional bits, magnitudes to 2^bound.

    An image x becomes (scale x - mean) / std. mean, std: nothing, one number, or one for each channel. whole: whether
    the network takes whole numbers.
    """

    table: str
    rows: tuple[Word32, ...]
    f: int
    bound: int
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    whole: bool = False
