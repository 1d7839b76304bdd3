"""What the owner of pictures agrees to when it agrees to a model: all that is public of it, in one digest."""

from __future__ import annotations

import hashlib

import msgspec

__all__ = ["agreed_graph"]


def agreed_graph(fingerprint: str, scale: float, mean: tuple[float, ...], std: tuple[float, ...], whole: bool) -> str:
    """32 hexadecimal digits. fingerprint: of `icm_ray.network.model.PublicModel`, so graph and public numbers; the rest
    says what becomes of a picture before the graph, as in `icm_ray.query.image_tasks.ImageRows`.
    """
    return hashlib.sha256(msgspec.msgpack.encode((fingerprint, scale, mean, std, whole))).hexdigest()[:32]
