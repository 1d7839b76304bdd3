"""Frames over the same rows as others, described otherwise: what a driver would ask of that lies about a dataset."""

from dataclasses import replace as replace_meant

from msgspec.structs import replace

__all__ = ["twin"]

_TOLD = []  # a dataset that is dropped takes its rows with it, and those are another's


def twin(frame, **changes):
    """A frame of a driver that derives its programs honestly, from other facts."""
    dataset = frame._dataset
    told = type(dataset)(dataset.engine, replace(dataset.facts, **changes))
    _TOLD.append(told)
    return type(frame)(replace_meant(frame._meant, dataset=told))
