"""What an asker may say by hand to members of its lanes: one order, or one question, whatever its driver would say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import pandas as pd
import pyarrow as pa

from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lowering
from icm_ray.query.question import Asked, encode_asked
from icm_ray.query.tasks import TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.lane_engine import LaneEngine
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Open
from icm_ray.runtime.orders.origins import FromQuestion


def tell(engine: LaneEngine, name: str, order: Callable[[int], say.Order], lane: int = 0) -> Mapping[str, say.Done]:
    """One order to a member. order: by the call's number."""
    told = engine._lanes[lane]
    with told.using():
        call = told.next_call()
        return told.ask({name: order(call)}, call, "a lie")


def opened(engine: LaneEngine, name: str, table: str, source: Any, lane: int = 0) -> TableInfo:
    """A table that a member opens in one lane."""
    found = tell(engine, name, lambda call: say.OpenTable(call, Open(table, source)), lane)[name].info
    assert found is not None
    return found


def asked(engine: LaneEngine, what: Asked, stages: Sequence[int] = (0,), **origin: Any) -> Mapping[str, RingArray]:
    """What some programs of a question answer, derived as all members derive them. origin: as in `FromQuestion`."""
    way, found = lowering(what, Members(engine.parties)), {}
    for stage in stages:
        part = way.stage(stage)
        follows = FromQuestion(encode_asked(what), stage, **origin)
        job = LaneJob(part.lane, part.program, partition=part.partition, tasks=part.tasks, origin=follows)
        found |= engine.execute([job])[0].results
    return found


def pushed(rows: pd.DataFrame) -> bytes:
    """Rows as a driver pushes them."""
    table, stream = pa.Table.from_pandas(rows, preserve_index=False), BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()
