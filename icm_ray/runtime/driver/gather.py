"""What two lanes do together, from the driver, each party within itself: moving kept shares, all of them or none, and
finding out whether it keeps one ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Final

from icm_ray.errors import FaultError, SessionError
from icm_ray.runtime.driver.lane import Lane
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Gather
from icm_ray.runtime.orders.limits import transport_config

__all__ = ["compare_ledgers", "gather"]

_STEP: Final = "gather"
_LEDGERS: Final = "ledgers"


def gather(lane: Lane, home: Lane, number: int, keys: tuple[tuple[str, tuple[int, ...]], ...]) -> None:
    """Move shares (key, shape of words) from `lane` to `home`, as call number `number` of the session.

    The senders drop them when all have arrived. A failure or an interruption costs both lanes their links, which are
    made anew; a member that is gone ends its own lane alone.
    """
    order = Gather(number, lane.index, home.index, keys)
    with ExitStack() as held:
        for side in sorted((lane, home), key=lambda side: side.index):  # two that lead both ways never wait in a circle
            held.enter_context(side.using())
        if not lane.linked_with(home):
            generation = lane.next_link()
            _both(lane, home, lambda side, call, name: _link_order(lane, home, generation, side, call, name))
            lane.note_link(home)
        _both(lane, home, lambda _side, call, _name: say.GatherShares(call, order))
        lane.forget([key for key, _ in keys])  # with its next call


def compare_ledgers(lane: Lane, home: Lane, names: tuple[str, ...]) -> None:
    """Have these members find out that they keep the ledger in `lane` that they keep in `home`, the first one.

    Errors: `SessionError` naming both nodes of one that does not.
    """
    with ExitStack() as held:
        for side in (home, lane):
            held.enter_context(side.using())
        generation = lane.next_link()
        link = partial(_link_order, lane, home, generation)
        _both(lane, home, link, names, _LEDGERS)
        if names == lane.parties:
            lane.note_link(home)
        try:
            _both(
                lane, home, lambda _side, call, _name: say.CompareLedgers(call, lane.index, home.index), names, _LEDGERS
            )
        except SessionError as error:
            name = error.where.get("party", "")
            if name not in names:
                raise
            raise SessionError(f"{error.message} ({lane.place(name)}, {home.place(name)})", **error.where) from None
    lane.one_ledger.update(names)


def _both(
    lane: Lane,
    home: Lane,
    order: Callable[[Lane, int, str], say.Order],
    names: tuple[str, ...] = (),
    step: str = _STEP,
) -> None:
    """Give both lanes' parties, or others, an order and wait for all; both lanes are as they were where that fails."""
    calls: dict[Lane, int] = {}  # of those that were told
    names = names or lane.parties
    try:
        for side in (home, lane):
            call = side.next_call()
            side.tell({name: order(side, call, name) for name in names})
            calls[side] = call
        for side in (lane, home):
            side.collect(names, calls[side], step)
    except BaseException:
        _abort(calls, names)
        raise


def _abort(calls: dict[Lane, int], names: tuple[str, ...]) -> None:
    """Raises the fault of a lane that turns out to have lost a member: the other saw its link end."""
    lost: FaultError | None = None
    for side, call in calls.items():
        try:
            if not side.broken:
                side.abort(names, call, transport_config(side.config).connect_timeout)
        except FaultError as error:
            lost = lost or error
    if lost is not None:
        raise lost


def _link_order(lane: Lane, home: Lane, generation: int, side: Lane, call: int, name: str) -> say.LinkLanes:
    """For the worker of a party on one side: where its own worker on the other listens."""
    other = home if side is lane else lane
    plan = other.plan
    member = next(item for item in plan.members if item[0] == name) if plan is not None else (name, "", 0, b"")
    return say.LinkLanes(call, lane.index, home.index, generation, member)
