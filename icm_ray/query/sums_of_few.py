"""Which numbers are held against the rule for sums that few rows make up: those of a statistic's columns, of what these
are sums of, and of what cells and conditions leave of totals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from icm_ray.errors import ProgramError
from icm_ray.ops.linear import AssumeWidth, Scale
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.clipped import clipped
from icm_ray.query.composed import addends, left_out
from icm_ray.query.dominance import Contributions, Merged, even, merged
from icm_ray.query.expressions.tree import Of, apply, literal
from icm_ray.query.hidden_sums import conditions_outside, told_by_a_total, with_others
from icm_ray.query.partials import PartialOf, Taken, shared
from icm_ray.query.rows import Rows
from icm_ray.query.selection import SelectedRows
from icm_ray.query.small_cells import times
from icm_ray.query.statistics.catalogue import Statistic

__all__ = ["SumsOfFew", "sums_of_few"]


@dataclass(frozen=True, slots=True)
class SumsOfFew:
    """columns: of each column what the cells have, then what rows in no cell have. left: of each that conditions choose
    rows of, what the others have, and what all have.
    """

    columns: tuple[tuple[PartialOf, ...], ...] = ()
    left: tuple[tuple[PartialOf, PartialOf], ...] = ()

    @property
    def parts(self) -> Iterator[PartialOf]:
        """All of them."""
        for of in (*self.columns, *self.left):
            yield from of

    def bits(
        self,
        builder: Builder,
        found: Mapping[PartialOf, Taken],
        bits: Value | None,
        counts: Value | None,
        second: Callable[[Value], Value] | None,
        policy: Policy,
        *,
        of_shares: bool,
    ) -> Value:
        """Of what may be shown (cells,). bits: by other rules. counts: of the values of cells, None where it is public
        and they are no cells. second: says of bits whether numbers of rows ask for another cell to be withheld;
        None: there is one cell.
        """

        def of(part: PartialOf) -> Merged:
            return merged(builder, shared(found[part]), shared=of_shares)

        cells = [of(own) for own, *_ in self.columns]
        alone = [even(builder, each, policy) for each in cells]
        alone += [told_by_a_total(builder, of(rest), of(whole), policy) for rest, whole in self.left]
        for bit in alone:
            bits = bit if bits is None else builder.add(AssumeWidth(2), times(builder, bit, bits))
        if bits is None:
            raise ProgramError("what few rows make up is found of some column")
        needed = None if second is None else second(bits)
        for each, (_, *outside) in zip(cells, self.columns, strict=True):
            if counts is not None and (needed is not None or outside):
                beyond = [shared(found[part]) for part in outside]
                bits = with_others(builder, counts, bits, each, beyond, needed, policy, shared=of_shares)
                needed = None if needed is None else builder.add(AssumeWidth(2), builder.add(Scale(0), needed))
        return bits


def sums_of_few(statistic: Statistic, rows: Rows) -> SumsOfFew:
    """Of a statistic of some rows; nothing where no policy asks for it.

    Errors: `PolicyError` (a column is a sum of too many parts).
    """
    policy = rows.policy
    if policy is None or not (statistic.contributed and policy.dominance):
        return SumsOfFew()
    columns = dict.fromkeys((statistic.column, getattr(statistic, "other", statistic.column)))

    def part(dataset: str, of: Of) -> PartialOf:
        return PartialOf(dataset, Contributions(of, policy.entity))

    summed: list[tuple[PartialOf, ...]] = []
    for of in dict.fromkeys(clipped(each, rows) for column in columns for each in addends(column, rows)):
        own = part(statistic.dataset, of)
        if not isinstance(rows, SelectedRows):
            summed.append((own,))
            continue
        beyond = (apply("where", (outside, of, literal(None))) for outside in conditions_outside(rows, rows.base, of))
        summed.append((own, *(part(rows.base.name, each) for each in beyond)))
    left = (
        (part(statistic.dataset, rest), part(statistic.dataset, whole))
        for column in columns
        for rest, whole in left_out(column, rows)
    )
    return SumsOfFew(tuple(summed), tuple(left))
