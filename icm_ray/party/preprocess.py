"""A party's side of preparing: what the dealer sends for a slot goes to its file as it comes."""

from __future__ import annotations

from collections.abc import Callable

from icm_ray.errors import Desynchronised
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.party.correlations import ExpectedCorrections
from icm_ray.preprocessing.filling import END, Filling, check_preparable, read_filling, weights_of
from icm_ray.preprocessing.keys import slot_secret
from icm_ray.preprocessing.ledger import Batch
from icm_ray.preprocessing.stock import PartyStock
from icm_ray.program.stamped import Stamped
from icm_ray.schedule.allowances import Allowance

__all__ = ["fill"]


def fill(
    stock: PartyStock,
    dealer: Link,
    secret: bytes,
    stamped: Stamped,
    job: int,
    count: int,
    new_attempt: Callable[[int], None],
    allowed: Allowance,
) -> Batch:
    """Take `count` slots of the program from the dealer; they count once the batch is added to the stock.

    secret: with the dealer. new_attempt: raises where an attempt is not new. allowed: what the dealer is to send.
    No more than one correction is in memory. Raises `Desynchronised` where the dealer prepares something else, sends
    what the plan does not have, or ends a slot early.
    """
    check_preparable(stamped.program)
    batch: Batch | None = None
    for offset in range(count):
        said = read_filling(dealer.receive_message())
        if batch is None:
            batch = stock.batch(stamped.digest, said.store, count, weights_of(stamped.program))
        if (said.job, said.program, said.store, said.offset) != (job, stamped.digest, batch.store, offset):
            raise Desynchronised("the dealer prepares something else", party="dealer", partition=offset, step="prepare")
        new_attempt(said.attempt)
        _write(stock, dealer, batch, said, secret, allowed)
    if batch is None:
        raise Desynchronised("no slot to prepare", party="dealer", step="prepare")
    stock.filled()
    return batch


def _write(stock: PartyStock, dealer: Link, batch: Batch, said: Filling, secret: bytes, allowed: Allowance) -> None:
    frame = Frame(Address(said.job, said.program, said.offset, said.attempt), END)
    mine = slot_secret(secret, said.program, said.store, said.offset, said.attempt)
    writer = stock.writer(batch, said.offset, mine)
    expected = ExpectedCorrections(allowed.corrections, dealer.peer, said.offset)
    try:
        while True:
            operation, tag, payload = dealer.receive_any(frame)
            if operation == END:
                break
            expected.check(operation, tag, payload.nbytes)
            writer.add(operation, tag, payload)
        if not writer.finish(tag):
            raise Desynchronised("a slot ended early", party="dealer", partition=said.offset, step="prepare")
    finally:
        writer.close()
