"""From what is asked to programs: pure, so that every member derives the same.

Statistics. One lane with rows: one program. Several: in every lane a program that keeps its partial shares; these move
(each party's within itself) to the first of these lanes, where a last program joins them and reveals. Sharing: a
program for each partition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from icm_ray.errors import BoundError, PolicyError, ProgramError
from icm_ray.ops.linear import AssumeWidth, Load, Reveal, Store
from icm_ray.ops.values import ValueType
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.protocols.io import array_shape
from icm_ray.query.choices import both_sides, chosen_of
from icm_ray.query.complements import either, needs_second, without_least
from icm_ray.query.disclosure import fewest_values
from icm_ray.query.entities import behind
from icm_ray.query.entity_units import least
from icm_ray.query.expressions.tree import EVERY_ROW, Of, apply, conjunction, literal
from icm_ray.query.expressions.words import words
from icm_ray.query.lane_build import LaneBuild, LaneProgram, Members
from icm_ray.query.merge import MatchedRight, MergedRows
from icm_ray.query.merged_shares import MergedShares, SidesOfMerge
from icm_ray.query.noise import keys_behind, with_noise
from icm_ray.query.opened import Known
from icm_ray.query.overlap import kept_apart, overlaps
from icm_ray.query.partials import PartialAggregate, PartialOf, RowCount, Taken, join, shared
from icm_ray.query.pool import each_alone
from icm_ray.query.private_groups import KeyedGroups, keyed_groups
from icm_ray.query.question import Asked, DatasetFacts, Question, Sharing
from icm_ray.query.rows import Rows, column_of, public_count
from icm_ray.query.secret_groups import CellSums, cell_sums
from icm_ray.query.selection import SelectedRows
from icm_ray.query.sharing import secret_rows, sharing_program
from icm_ray.query.small_cells import coarse, guarded, or_empty, shown, times
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count, ValuesOfColumn
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.sums_of_few import sums_of_few
from icm_ray.query.told_rows import row_sets

__all__ = ["Lowered", "Lowering", "Revealed", "lower", "lowering"]


@dataclass(frozen=True, slots=True)
class Revealed:
    """What one number of a result is read from: `word` of which statistic; the name of a reveal and its type, or a
    number that is public.
    """

    statistic: int
    word: str
    name: str
    source: ValueType | Known


@dataclass(frozen=True, slots=True)
class Lowered:
    """first: programs that run at the same time, one after the other in each lane. kept: by lane, names of the partial
    shares that they leave, and their shapes. last: the program that reveals, after these moved to its lane; None where
    nothing is opened.
    """

    first: tuple[LaneProgram, ...]
    kept: Mapping[int, Mapping[str, tuple[int, ...]]]
    last: LaneProgram | None
    revealed: tuple[Revealed, ...] = ()

    @property
    def programs(self) -> tuple[LaneProgram, ...]:
        """All of them, in their order."""
        return self.first if self.last is None else (*self.first, self.last)


def lower(asked: Asked, members: Members) -> Lowered:
    """The programs of what is asked, for these members.

    Errors: `BoundError` naming the column where a value would not fit its ring; `ColumnError`, `ProgramError` where
    question and facts do not belong together.
    """
    return lowering(asked, members).lower()


def lowering(asked: Asked, members: Members) -> Lowering:
    """What gives the programs of what is asked, one by one too. Errors: those of `lower`, here or later."""
    if isinstance(asked.what, Question):
        return _OfQuestion(asked, asked.what, members)
    return _OfSharing(asked.what, asked.facts_of(asked.what.dataset), members)


def _at_once(rows: Rows) -> bool:
    """Whether one value holds all that lanes contribute to what is taken of these rows."""
    if isinstance(rows, MergedRows) or rows.private is not None:
        return True
    return isinstance(rows, SelectedRows) and rows.sorted_cells


def _all_of(rows: Rows, partials: Sequence[PartialAggregate]) -> PartialAggregate:
    """That value, of these partials."""
    if isinstance(rows, MergedShares):
        return rows.sides_of(partials)
    return cell_sums(rows, partials) if rows.private is None else keyed_groups(rows, partials)


class Lowering(Protocol):
    """The way from one thing asked to its programs."""

    def lower(self) -> Lowered:
        """All of them."""

    def stage(self, stage: int) -> LaneProgram:
        """Number `stage` of `lower().programs`, for whoever has to do with that one alone.

        Errors: `ProgramError` (there is none).
        """


class _OfSharing:
    def __init__(self, sharing: Sharing, rows: DatasetFacts, members: Members) -> None:
        self._shares = secret_rows(sharing, rows)
        self._sharing, self._rows, self._members = sharing, rows, members

    def lower(self) -> Lowered:
        return Lowered(tuple(map(self.stage, range(len(self._shares.partitions)))), {}, None)

    def stage(self, stage: int) -> LaneProgram:
        return sharing_program(self._sharing, self._rows, self._shares, stage, self._members)


class _OfQuestion:
    def __init__(self, asked: Asked, question: Question, members: Members) -> None:
        self._asked, self._question, self._members = asked, question, members
        self._facts = {statistic.dataset: asked.rows(statistic.dataset) for statistic in question.statistics}
        self._facts.update({facts.name: facts for facts in asked.facts})
        self._facts.update({item.dataset: asked.facts_of(item.dataset) for item in question.selections})
        self._base = {selection.name: selection.dataset for selection in question.selections}
        self._taken = [self._partials(statistic) for statistic in question.statistics]
        self._alone = [self._of_each_alone(statistic) for statistic in question.statistics]
        held = [each for item, alone in zip(question.statistics, self._alone, strict=True) for each in (item, *alone)]
        self._guards = {statistic: self._guard(statistic) for statistic in held}
        self._chosen = {statistic: self._choices(statistic) for statistic in held}
        self._few = {statistic: sums_of_few(statistic, self._facts[statistic.dataset]) for statistic in held}
        self._whole = {statistic: self._everybody(statistic) for statistic in held}
        self._keys = {statistic: self._keys_behind(statistic) for statistic in held}
        self._grouped = {statistic: self._in_groups(statistic) for statistic in held}
        self._overlaps = overlaps(asked)
        for overlap in self._overlaps.values():
            self._facts.update(overlap.rows)
        known: dict[PartialOf, Known] = {}
        parts: dict[PartialOf, PartialAggregate] = {}  # in the order in which statistics take them
        grouped: dict[str, list[PartialAggregate]] = {}
        compared = (overlap.parts for overlap in self._overlaps.values())
        rules = (self._guards, self._chosen, self._whole, self._keys, self._grouped)
        of_rules = [found for rule in rules for found in rule.values()]
        of_rules += [tuple(few.parts) for few in self._few.values()]
        asked_for = (*self._taken, *of_rules, *compared)
        for part in (part for taken in asked_for for part in taken):
            rows = self._facts[part.dataset]
            if isinstance(part.partial, RowCount):
                known[part] = part.partial.known(rows)
            elif isinstance(rows, MergedShares) or (_at_once(rows) and not part.partial.apart):
                grouped.setdefault(part.dataset, []).append(part.partial)
            else:
                parts[part] = part.partial
        for dataset, partials in grouped.items():
            table = _all_of(self._facts[dataset], partials)
            parts[PartialOf(dataset, table)] = table
        self._known, self._parts = known, parts

    def _partials(self, statistic: Statistic) -> tuple[PartialOf, ...]:
        rows = self._facts[statistic.dataset]
        return tuple(PartialOf(statistic.dataset, partial.substitute(rows)) for partial in statistic.partials(rows))

    def _of_each_alone(self, statistic: Statistic) -> tuple[Statistic, ...]:
        """Of a pool, what is asked of each dataset with a policy."""
        found = []
        for rows in each_alone(self._facts[statistic.dataset]):
            self._facts[rows.name] = rows
            if isinstance(rows, SelectedRows):
                self._base[rows.name] = rows.base.name
            found.append(replace(statistic, dataset=rows.name))
        return tuple(found)

    def _guard(self, statistic: Statistic) -> tuple[PartialOf, ...]:
        """What says how many values are behind a result, where few are withheld and that is not public; and of how many
        in all these are, where some may be left out.
        """
        rows = self._facts[statistic.dataset]
        if isinstance(statistic, Histogram) and any(statistic in alone for alone in self._alone):
            return self._partials(statistic)
        if statistic.guards_itself or rows.policy is None:
            return ()
        if public_count(rows, statistic.column) and not rows.policy.entity:
            return ()
        if isinstance(rows, MergedRows):
            return self._guard_of_merge(statistic, rows)
        as_many = rows.private is not None and not column_of(rows, statistic.column).nullable
        as_many = as_many and not sums_of_few(statistic, rows).columns
        if as_many and fewest_values(statistic, rows) <= rows.policy.min_rows:
            return ()  # a group of fewer rows is not there at all
        counted = behind(rows.policy, statistic.column)
        found = PartialOf(statistic.dataset, counted)
        if rows.where is None and not rows.groups:
            return (found,)
        whole = self._facts[self._base[statistic.dataset]]
        if whole.where is None:
            return found, PartialOf(whole.name, counted.substitute(whole))
        if column_of(rows, statistic.column).nullable:  # how many others have a value is not in the shares
            reason = "values may be missing, and rows were chosen before they were shared: choose them after .share()"
            raise PolicyError(f"{statistic.title}: {reason}", dataset=rows.source)
        return found, PartialOf(whole.name, RowCount(statistic.column))

    def _choices(self, statistic: Statistic) -> tuple[PartialOf, ...]:
        """What says how many rows a computed column chooses, and of how many, one after the other."""
        pairs = chosen_of(statistic, self._facts[statistic.dataset])
        return tuple(PartialOf(statistic.dataset, partial) for pair in pairs for partial in pair)

    def _keys_behind(self, statistic: Statistic) -> tuple[PartialOf, ...]:
        """What noise is looked up by, where it is of cell keys."""
        behind_it = keys_behind(statistic, self._facts[statistic.dataset])
        return tuple(PartialOf(statistic.dataset, keys) for keys in behind_it)

    def _everybody(self, statistic: Statistic) -> tuple[PartialOf, ...]:
        """What says how many entities there are in all, where rules of choices need it."""
        rows = self._facts[statistic.dataset]
        if rows.policy is None or not rows.policy.entity or not chosen_of(statistic, rows):
            return ()
        return (PartialOf(self._base.get(statistic.dataset, statistic.dataset), behind(rows.policy, EVERY_ROW)),)

    def _in_groups(self, statistic: Statistic) -> tuple[PartialOf, ...]:
        """What says how many values lack no key where some do: how many lack one is told elsewhere, by a count."""
        rows = self._facts[statistic.dataset]
        if rows.policy is None or not (rows.by and statistic.adds_up) or isinstance(rows, MergedRows):
            return ()
        whole = self._facts[self._base[statistic.dataset]]
        lacking = [key.of for key in rows.by if column_of(whole, key.of).nullable]
        if not lacking or whole.where is not None:
            return ()
        if column_of(rows, statistic.column).nullable:
            lacking.append(statistic.column)
        there: Of | None = None
        for of in dict.fromkeys(lacking):
            there = conjunction(there, apply("not", (apply("is_null", (of,)),)))
        counted = behind(rows.policy, apply("where", (there or EVERY_ROW, literal(value=True), literal(None))))
        return (PartialOf(whole.name, counted),)

    def _guard_of_merge(self, statistic: Statistic, rows: MergedRows) -> tuple[PartialOf, ...]:
        """The same; and how many right rows are met, of how many, where a column of these is asked for."""
        side, of = rows.behind(statistic.column)
        behind = PartialOf(rows.name, ValuesOfColumn(statistic.column))
        if side is rows.left:
            return behind, PartialOf(side.base.name, ValuesOfColumn(of).substitute(side.base))
        left, right = (PartialOf(one.base.name, RowCount(EVERY_ROW)) for one in (rows.left, rows.right))
        return behind, left, PartialOf(rows.name, MatchedRight(EVERY_ROW)), right

    def lower(self) -> Lowered:
        """The programs."""
        lanes = self._lanes()
        if not lanes:
            return Lowered((), {}, None, self._reveal(self._lane(0), {}))
        if len(lanes) == 1:
            return Lowered((), {}, *self._only(lanes[0]))
        first: list[LaneProgram] = []
        kept: dict[int, dict[str, tuple[int, ...]]] = {}
        pieces: dict[PartialOf, list[Load]] = {part: [] for part in self._parts}
        for lane in lanes:
            program, loads = self._first(lane)
            first.append(program)
            kept[lane] = {load.key: array_shape(load.type) for load in loads.values()}
            for part, load in loads.items():
                pieces[part].append(load)
        last = self._lane(lanes[0])
        values = {}
        for part, found in pieces.items():
            loaded = [last.builder.add(load) for load in found]
            values[part] = join(last.builder, self._parts[part].rule, loaded)
        revealed = self._reveal(last, values)
        return Lowered(tuple(first), kept, last.program(), revealed)

    def stage(self, stage: int) -> LaneProgram:
        """One of the programs, by its number."""
        lanes = self._lanes()
        if len(lanes) > 1 and 0 <= stage < len(lanes):
            return self._first(lanes[stage])[0]
        programs = self.lower().programs
        if not 0 <= stage < len(programs):
            raise ProgramError(f"a question of {len(programs)} programs, none of number {stage}")
        return programs[stage]

    def _lanes(self) -> list[int]:
        return sorted(frozenset[int]().union(*(self._facts[part.dataset].lanes for part in self._parts)))

    def _only(self, lane: int) -> tuple[LaneProgram, tuple[Revealed, ...]]:
        """Where one lane has all rows: its program, and what that reveals."""
        build = self._lane(lane)
        values = {part: self._partial(build, part) for part in self._parts}
        revealed = self._reveal(build, values)
        return build.program(), revealed

    def _first(self, lane: int) -> tuple[LaneProgram, dict[PartialOf, Load]]:
        """The program of a lane that keeps its partial shares, and how each is loaded again."""
        build = self._lane(lane)
        loads: dict[PartialOf, Load] = {}
        for index, part in enumerate(self._parts):
            if lane in self._facts[part.dataset].lanes:
                value, name = self._partial(build, part), f"partial-{self._asked.digest.hex()}-{lane}-{index}"
                build.builder.add(Store(name), value)
                loads[part] = Load(name, value.type, self._facts[part.dataset].labels(lane))
        return build.program(), loads

    def _lane(self, lane: int) -> LaneBuild:
        return LaneBuild(self._members, lane)

    def _partial(self, build: LaneBuild, part: PartialOf) -> Value:
        rows = self._facts[part.dataset]
        partial = self._parts[part]
        try:
            return rows.partial(build, partial)
        except BoundError as error:
            if isinstance(partial, CellSums | KeyedGroups | SidesOfMerge) and error.where.get("column"):
                raise  # of several columns it says which
            column = words(partial.column)
            raise BoundError(f"{partial.words} of {column}: {error}", column=column) from None

    def _bits(self, builder: Builder, statistic: Statistic, found: Mapping[PartialOf, Taken]) -> Value | None:
        """Where a result may be shown, of each group; None: everywhere."""
        rows, counted = self._facts[statistic.dataset], [found[part] for part in self._guards[statistic]]
        bits = self._enough(builder, statistic, counted) if counted else None
        if (few := self._few[statistic]).columns:
            counts, policy = shared(counted[0]) if counted else None, self._policy(rows)
            second = partial(self._needs_second, builder, statistic, found) if counted and rows.groups > 1 else None
            bits = few.bits(builder, found, bits, counts, second, policy, of_shares=rows.shared)
        elif bits is not None and counted and rows.groups > 1 and statistic.adds_up:
            needed = self._needs_second(builder, statistic, found, bits)
            bits = without_least(builder, shared(counted[0]), bits, needed, bits)
        if bits is None or not counted or not rows.groups:
            return self._or_empty(builder, statistic, counted[:2], bits) if len(counted) < 3 else bits
        policy = self._policy(rows)
        bits = self._or_empty(builder, statistic, counted, bits) or bits
        secret = bool(policy.entity) or rows.where is not None or column_of(rows, statistic.column).nullable
        return coarse(builder, shared(counted[0]), bits, policy) if rows.by and secret else bits

    def _needs_second(
        self, builder: Builder, statistic: Statistic, found: Mapping[PartialOf, Taken], bits: Value
    ) -> Value:
        """Whether the numbers of rows ask for another cell to be withheld (1,)."""
        policy, (behind_it, total) = self._policy(self._facts[statistic.dataset]), self._guards[statistic][:2]
        zeros, k = not policy.hide_zeros, least(policy, policy.min_rows)
        asked = [
            needs_second(builder, shared(found[behind_it]), bits, k, zeros=zeros, total=found[part])
            for part in (total, *self._grouped[statistic])
        ]
        return asked[0] if len(asked) == 1 else either(builder, *asked)

    def _or_empty(
        self, builder: Builder, statistic: Statistic, counted: Sequence[Taken], bits: Value | None
    ) -> Value | None:
        """That there is nothing may be shown where the policy does not hide it; of a part of a pool that it has
        nothing to do with what the others have.
        """
        policy = self._facts[statistic.dataset].policy
        of_part = statistic not in self._question.statistics
        if bits is None or not counted or policy is None or policy.hide_zeros:
            return bits
        if not (of_part or isinstance(statistic, Count)):
            return bits
        return or_empty(builder, shared(counted[0]), bits)

    def _policy(self, rows: Rows) -> Policy:
        if rows.policy is None:
            raise ProgramError("nothing is withheld without a policy")
        return rows.policy

    def _enough(self, builder: Builder, statistic: Statistic, counted: Sequence[Taken]) -> Value:
        """Where enough values are behind a result; counted: those of its guard."""
        rows = self._facts[statistic.dataset]
        found, *total = counted[:2]
        policy, fewest = self._policy(rows), fewest_values(statistic, rows)
        bits = shown(builder, shared(found), policy, fewest=fewest, total=total[0] if total else None)
        if not counted[2:]:
            return bits
        if not rows.groups:  # of groups empty ones come last, when it is known what each says of another
            bits = self._or_empty(builder, statistic, counted, bits) or bits
        met, whole = counted[2:]
        enough = shown(builder, shared(met), policy, fewest=policy.min_rows, total=whole)
        return builder.add(AssumeWidth(2), times(builder, enough, bits))

    def _reveal(self, build: LaneBuild, joined: Mapping[PartialOf, Value]) -> tuple[Revealed, ...]:
        builder = build.builder
        found: dict[PartialOf, Taken] = {**self._known, **joined}
        for part, table in joined.items():
            selected = self._facts[part.dataset]
            if isinstance(part.partial, KeyedGroups) and isinstance(selected, SelectedRows | MergedRows):
                of_groups = selected.merged(builder, part.partial, table)
            elif isinstance(part.partial, SidesOfMerge) and isinstance(selected, MergedShares):
                of_groups = selected.taken(build, part.partial, table)
            else:
                of_groups = self._parts[part].taken(builder, selected, table)
            found |= {PartialOf(part.dataset, partial): taken for partial, taken in of_groups.items()}
        apart = {dataset: overlap.apart(builder, found) for dataset, overlap in self._overlaps.items()}
        revealed = []
        for index, (statistic, parts) in enumerate(zip(self._question.statistics, self._taken, strict=True)):
            rows = self._facts[statistic.dataset]
            as_rows = rows.selected if isinstance(rows, MergedShares) else rows
            values = statistic.finish(builder, [found[part] for part in parts], as_rows)
            values = self._allowed(builder, statistic, found, values)
            for of_part in self._alone[index]:
                values = self._allowed(builder, of_part, found, values)
            keys = shared(found[self._keys[statistic][0]]) if self._keys[statistic] else None
            values = with_noise(build, statistic, rows, values, keys)
            for each in (statistic, *self._alone[index]):
                base = self._base.get(each.dataset, each.dataset)
                if base in apart and row_sets(each, self._facts[each.dataset]):
                    values = kept_apart(builder, apart[base], values)
            for word, value in values.items():
                name = f"{index}: {word} ({statistic.title})"
                if isinstance(value, Known):
                    revealed.append(Revealed(index, word, name, value))
                    continue
                builder.add(Reveal(self._question.to, name), value)
                revealed.append(Revealed(index, word, name, value.type))
        return tuple(revealed)

    def _allowed(
        self, builder: Builder, statistic: Statistic, found: Mapping[PartialOf, Taken], values: Mapping[str, Taken]
    ) -> Mapping[str, Taken]:
        """The values, zeros where this statistic is withheld: that of them, or of a part of a pool."""
        rows = self._facts[statistic.dataset]
        if isinstance(statistic, Histogram) and self._guards[statistic]:
            counted = [found[part] for part in self._guards[statistic]]
            bits = statistic.bits(builder, counted, self._policy(rows), rows)
            return {word: times(builder, bits, shared(value)) for word, value in values.items()}
        if (bits_of_cells := self._bits(builder, statistic, found)) is not None:
            values = guarded(builder, bits_of_cells, values)
        chosen = [found[part] for part in self._chosen[statistic]]
        everybody = found[self._whole[statistic][0]] if self._whole[statistic] else Known(rows.count)
        total = everybody if rows.groups and statistic.adds_up else None
        for picked, among in zip(chosen[::2], chosen[1::2], strict=True):
            enough = both_sides(builder, shared(picked), among, self._policy(rows), total=total)
            values = guarded(builder, enough, values)
        return values
