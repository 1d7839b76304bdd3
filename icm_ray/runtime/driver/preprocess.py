"""Dealing ahead of time on one lane, from the driver: every slot on every member's disk, then it counts, or nowhere."""

from __future__ import annotations

import threading
from collections import Counter

from icm_ray.errors import InputError, OwnerError, StockError
from icm_ray.names import DEALER
from icm_ray.planner.partitions import lanes_of
from icm_ray.preprocessing.filling import check_preparable
from icm_ray.program.program import Program, encode_program
from icm_ray.program.stamped import Stamped
from icm_ray.runtime.driver.lane import Lane
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Job

__all__ = ["preprocess", "slots_by_lane"]


def slots_by_lane(program: Program, partitions: int, parties: tuple[str, ...], lanes: int) -> Counter[int]:
    """How many slots every lane takes; raises for what cannot be prepared, before anything is dealt."""
    if partitions < 1:
        raise InputError(f"{partitions} partitions to prepare; one at least")
    check_preparable(program)
    if program.parties != parties:
        raise OwnerError(f"a program for {program.parties} in a session of {parties}")
    return Counter(lanes_of(partitions, lanes))


def preprocess(lane: Lane, number: int, stamped: Stamped, count: int, stop: threading.Event) -> None:
    """Have `count` slots of a program dealt, as call number `number` of the session, unless `stop` is set.

    A refusal or an interruption costs the lane its links, which are made anew; a fault ends the lane.
    """
    members = (*stamped.program.parties, DEALER)
    order = Job(number, 0, encode_program(stamped.program), stamped.settings)
    with lane.using(stop):
        call = lane.next_call()
        orders = {name: say.Preprocess(call, order, count) for name in members}
        lane.weighed(orders)  # or members that were told nothing would be waited for
        try:
            lane.tell(orders)
            limit = count * lane.config.job_timeout
            lane.collect(members, call, "prepare", partition=0, limit=limit)
            lane.tell({name: say.Commit(call) for name in members})
            lane.collect(members, call, "prepare", partition=0)
        except BaseException as error:
            if not lane.broken:
                lane.abort(members, call)
                if isinstance(error, StockError):  # some may have counted it by then: nobody does
                    lane.give_up(members, stamped.digest)
            raise
