"""How values travel between driver and owners: what their messages begin with, where arrays belong."""

from __future__ import annotations

from icm_ray.ops.seams import NO_PROGRAM, Address, Frame
from icm_ray.runtime.orders.jobs import Job

__all__ = ["END", "GIVEN", "TABLE", "given_frame"]

GIVEN, TABLE, END = b"given", b"table", b"end"
"""How messages of values begin: an array follows as a frame; an Arrow stream (after 4 bytes of partition); no more."""


def given_frame(job: Job, step: int) -> Frame:
    """Where an array that the driver brings belongs."""
    return Frame(Address(job.job, NO_PROGRAM, job.partition, 0), step)
