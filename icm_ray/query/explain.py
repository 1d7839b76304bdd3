"""What answering a question would do, for people, from public facts alone; nothing runs."""

from __future__ import annotations

from icm_ray.names import DRIVER
from icm_ray.ops.cost import Cost
from icm_ray.ops.linear import Input
from icm_ray.ops.values import ValueType
from icm_ray.program.explain import widths
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.query.cell_keys import largest_of_keys
from icm_ray.query.disclosure import fewest_values
from icm_ray.query.expressions.words import words
from icm_ray.query.lower import Lowered
from icm_ray.query.merge import MergedRows
from icm_ray.query.merged_shares import MergedShares
from icm_ray.query.noise import deviations
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import RowCount
from icm_ray.query.question import Asked, Question
from icm_ray.query.rows import Rows, cells, public_count
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import SelectedRows
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.distinct import Distinct

__all__ = ["explain"]

_ORDERS, _ROUND, _BYTES = 3e-3, 1e-4, 4e8
"""Seconds of a run's orders and of a round, bytes a second."""


def explain(asked: Asked, lowered: Lowered, settings: RunSettings) -> str:
    """Per result what is opened, to whom, public sizes and the error bound; for all of them rounds and bytes, under
    these settings.
    """
    lines: list[str] = []
    if isinstance(asked.what, Question):
        for index in range(len(asked.what.statistics)):
            lines += _statistic(asked, asked.what, index, lowered)
    return "\n".join(lines + _costs(lowered, settings))


def _statistic(asked: Asked, question: Question, index: int, lowered: Lowered) -> list[str]:
    statistic = question.statistics[index]
    rows = asked.rows(statistic.dataset)
    brought = ", ".join(f"{count} of {owner}" for owner, count in rows.owners.items())
    how = "shares of the parties" if rows.shared else "each owner aggregates its own and shares the aggregate"
    lines = [statistic.title, f"  rows: {rows.count} ({brought}), public; {how}"]
    where = rows.merge.where if isinstance(rows, MergedRows) else rows.where
    if where is not None:
        lines.append(f"  where: {words(where)}; how many rows that are is secret")
    lines += [f"  groups: {words(key.of)}, {key.size} public {'bins' if key.edges else 'values'}" for key in rows.by]
    if isinstance(rows, MergedRows):
        met = ", ".join(words(key.of) for key in rows.keys_of(right=True))
        others = " and ".join(f"{count} rows of {owner}" for owner, count in rows.right.owners.items())
        lines.append(f"  merged: {rows.merge.how}, with {others}, on {met}; which rows match is secret")
    private = rows.merge.private if isinstance(rows, MergedRows) else rows.private
    if private is not None:
        keys = ", ".join(words(key.of) for key in private.keys)
        lines.append(f"  groups: {keys}, private; {rows.groups} places for the groups of all owners, public")
    lines += [f"  plan: {step}" for step in _plan(statistic, rows)]
    groups = "" if isinstance(statistic, Distinct) else _in_groups(rows)
    lines.append(f"  opened: {statistic.discloses(rows)}{groups}")
    if any(item.statistic == index and isinstance(item.source, ValueType) for item in lowered.revealed):
        recipient = "the driver, where the parties' shares meet" if question.to == DRIVER else f"{question.to} alone"
        everyone = statistic.all_learn and not rows.shared
        lines.append(f"  to: {recipient}{'; all owners and parties learn it' if everyone else ''}")
    lines += [f"  {note}" for note in statistic.notes(rows)]
    lines.append(f"  result: {statistic.error_in_words(rows)}")
    if lowered.last is not None and (noise := _noise(statistic, rows, len(lowered.last.program.parties))):
        lines.append(noise)
    if rows.policy is not None:
        spread = ""
        if statistic.contributed and rows.policy.dominance:
            spread = f", none above {rows.policy.largest} % of it, no two above {rows.policy.two_largest} %"
        of = f"different {rows.policy.entity}" if rows.policy.entity else "rows"
        lines.append(f"  policy: at least {fewest_values(statistic, rows)} {of} behind a revealed number{spread}")
    return lines


def _noise(statistic: Statistic, rows: Rows, parties: int) -> str:
    found = deviations(statistic, rows, parties)
    if not found or rows.policy is None or rows.policy.noise is None:
        return ""
    if rows.policy.noise.kind == "cell_key":
        most = largest_of_keys(rows.policy.noise.scale)
        return f"  noise: of cell keys, from -{most} to {most}: standard deviation {found[0][1]:.3g}"
    spread = " and ".join(f"{deviation:.3g} in the {word}" for word, deviation in found)
    return f"  noise: {rows.policy.noise.kind}, {parties} parties add their own each: standard deviation {spread}"


def _plan(statistic: Statistic, rows: OwnerRows | SecretRows | SelectedRows | MergedRows) -> list[str]:
    """Where each part is computed: by owners in the clear, on shares, by whoever receives the result."""
    partials = [partial.substitute(rows) for partial in statistic.partials(rows)]
    aggregates = [part for part in partials if not isinstance(part, RowCount)]
    parts = [f"{part.words} of {words(part.column)}" for part in aggregates]
    if not parts:
        return []
    parts = list(dict.fromkeys(parts))  # the words of a key are one part
    owners = {**rows.left.owners, **rows.right.owners} if isinstance(rows, MergedRows) else rows.owners
    somebody = "the parties, on shares" if rows.shared else f"{', '.join(owners)}, each in the clear"
    steps = [*(["choose rows"] if rows.where is not None else []), *(["group them"] if rows.groups else []), *parts]
    if isinstance(rows, MergedShares):
        merged = (
            "sort both sides' rows by key, check that right keys are unique, give left rows what their right rows have"
        )
        return [f"{somebody}: {merged}", f"{somebody}: {', '.join(steps)}{_small(statistic, rows)}"]
    lines = [f"{somebody}: {', '.join(steps)}"]
    found = "join the parts of lanes" if rows.shared else "join the owners' parts"
    joined = next((part.joined for part in aggregates if part.joined), found)
    if rows.private is not None:
        what = "rows" if rows.shared else "owners' groups"
        joined = f"sort the {what} by key, add up those of one key, shuffle them"
    elif isinstance(rows, SelectedRows) and rows.sorted_cells and not any(part.apart for part in aggregates):
        joined = "sort the rows by key, add up those of each"
    if isinstance(rows, MergedRows):
        unique = "" if rows.merge.many else "check that right keys are unique, "
        joined = f"sort both sides' groups by key, {unique}multiply what matches, add up"
    return [*lines, f"the parties, on shares: {joined}{_small(statistic, rows)}"]


def _small(statistic: Statistic, rows: Rows) -> str:
    secret = rows.private is not None or statistic.guards_itself or not public_count(rows, statistic.column)
    guards = rows.policy is not None and secret
    return f", keep what has {fewest_values(statistic, rows)} values or more behind it" if guards else ""


def _in_groups(rows: Rows) -> str:
    return f", of each of {cells(rows)} {'groups' if rows.by else 'places'}" if rows.groups else ""


def _costs(lowered: Lowered, settings: RunSettings) -> list[str]:
    programs = [part.program for part in lowered.programs]
    if not programs:
        return ["cost: nothing is sent"]
    *first, last = programs
    total = Cost.free(len(last.parties))
    for program in first:
        total = total.beside(Stamped(program, settings).cost())
    total = total.then(Stamped(last, settings).cost())
    lines = [_inputs(program) for program in programs]
    lines += dict.fromkeys(line for program in programs for line in widths(program))
    lanes = f" in {len(first)} lanes, joined in the first" if first else ""
    opened = sum(item.source.count for item in lowered.revealed if isinstance(item.source, ValueType))
    lines.append(
        f"cost: {total.rounds} rounds{lanes}, {max(total.sent)} bytes sent by a party at most, "
        f"{total.dealt} bytes from the dealer, {opened} numbers opened"
    )
    lines.append(f"time: about {_seconds(total):.2g} s within one machine, reading the rows aside")
    return [line for line in lines if line]


def _seconds(cost: Cost) -> float:
    """Orders, rounds and bytes, as links within one machine take them (docs/performance.md)."""
    return _ORDERS + cost.rounds * _ROUND + (max(cost.sent) + cost.dealt) / _BYTES


def _inputs(program: Program) -> str:
    shared = [
        f"{node.op.owner}'s {node.op.name} ({node.op.type.count})"
        for node in program.nodes
        if isinstance(node.op, Input)
    ]
    return f"shared: {', '.join(shared)}" if shared else ""
