"""Which rows the answers to a question tell of, as ledgers keep them: how many of these a policy allows.

How many values a column has that may lack some tells of rows, too: of those that have one.
"""

from __future__ import annotations

from msgspec.structs import replace

from icm_ray.errors import PolicyError
from icm_ray.policy import Policy
from icm_ray.query.choices import choices
from icm_ray.query.expressions.tree import conjunction
from icm_ray.query.merge import MergedRows
from icm_ray.query.noise import draws_of_counts
from icm_ray.query.pool import each_alone
from icm_ray.query.question import Asked, DatasetFacts, Question
from icm_ray.query.row_set import RowSet
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import SelectedRows
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.shape import Shape
from icm_ray.query.statistics.variance import Variance

__all__ = ["asked_of", "asked_of_facts", "check_overlap", "earlier", "limited_sets", "row_sets"]


def row_sets(statistic: Statistic, rows: Rows) -> tuple[RowSet, ...]:
    """Which rows a statistic tells of; none: all of the dataset. What a computed column chooses is a row set, too."""
    if isinstance(rows, MergedRows):
        return (RowSet(by=rows.by, merge=rows.merge.in_words),)
    private, most = ((), 0) if rows.private is None else (rows.private.keys, rows.private.most)
    base = rows.base if isinstance(rows, SelectedRows) else rows
    space = base.space if isinstance(base, SecretRows) else ""
    if isinstance(statistic, Histogram):
        return (RowSet(rows.where, rows.by, statistic.column, statistic.edges, private, space, most=most),)
    chosen = tuple(
        RowSet(conjunction(rows.where, condition), rows.by, space=space) for condition in choices(statistic, rows)
    )
    if at := statistic.told_at:
        return (RowSet(rows.where, rows.by, statistic.column, private=private, space=space, at=at, most=most), *chosen)
    chosen += _of_values(statistic, rows, space)
    if rows.where is None and not rows.groups and not space:
        return chosen
    return (RowSet(rows.where, rows.by, private=private, space=space, most=most), *chosen)


def _of_values(statistic: Statistic, rows: Rows, space: str) -> tuple[RowSet, ...]:
    """The rows that have a value, where it is told how many these are: of all rows, or with noise of its own."""
    if rows.policy is None or not isinstance(statistic, Count | Mean | Variance | Shape) or rows.private is not None:
        return ()
    of = statistic.column
    if not isinstance(of, str) or not column_of(rows, of).nullable:
        return ()
    if (rows.where is not None or rows.by) and not draws_of_counts(rows.policy):
        return ()
    return (RowSet(rows.where, rows.by, of, space=space),)


def asked_of(asked: Asked, source: str) -> tuple[RowSet, ...]:
    """The row sets that a question asks of a dataset, of its rows or of shares of them, once each, in their order."""
    found = (told for facts in asked.facts if facts.source == source for told in asked_of_facts(asked, facts))
    return tuple(dict.fromkeys(found))


def asked_of_facts(asked: Asked, facts: DatasetFacts) -> tuple[RowSet, ...]:
    """The same of one description of the dataset: of its rows, or of shares."""
    if not isinstance(asked.what, Question):
        return ()
    bases = {facts.name, *(pool.name for pool in asked.what.pools if facts.name in pool.datasets)}
    names = bases | {chosen.name for chosen in asked.what.selections if chosen.dataset in bases}
    names |= {merge.name for merge in asked.what.merges if bases & {merge.left.dataset, merge.right.dataset}}
    mine = (statistic for statistic in asked.what.statistics if statistic.dataset in names)
    found = (told for statistic in mine for told in _told(statistic, asked.rows(statistic.dataset), facts))
    return tuple(dict.fromkeys(found))


def _told(statistic: Statistic, rows: Rows, facts: DatasetFacts) -> tuple[RowSet, ...]:
    """What a statistic tells of a dataset: where its rows are among those of a pool, of them alone."""
    for own in each_alone(rows):
        if facts.name in {own.name, own.base.name if isinstance(own, SelectedRows) else ""}:
            return row_sets(replace(statistic, dataset=own.name), own)
    return row_sets(statistic, rows)


def earlier(asked: Asked, source: str) -> tuple[RowSet, ...]:
    """What the question says was asked of a dataset before."""
    if not isinstance(asked.what, Question):
        return ()
    return next((stated.sets for stated in asked.what.earlier if stated.dataset == source), ())


def check_overlap(asked: Asked) -> None:
    """Raise `PolicyError` where more row sets are asked for than a policy allows, or of rows that were read twice."""
    named = {
        (facts.policy.name, facts.source)
        for facts in asked.facts
        if facts.policy and limited_sets(facts.policy, asked_of(asked, facts.source))
    }
    names = [name for name, _ in sorted(named) if name]
    if len(set(names)) < len(names):
        raise PolicyError(f"two datasets of one name ({names[0]}) are asked for their rows one after the other")
    for facts in asked.facts:
        if facts.policy is None or not (own := limited_sets(facts.policy, asked_of(asked, facts.source))):
            continue
        together = len(dict.fromkeys((*limited_sets(facts.policy, earlier(asked, facts.source)), *own)))
        if together > facts.policy.row_sets:
            reason = (
                f"{together} different filters, groupings and histograms of {facts.source}, the policy allows "
                f"{facts.policy.row_sets}; what was answered before can be asked again"
            )
            raise PolicyError(reason, dataset=facts.source)


def limited_sets(policy: Policy, sets: tuple[RowSet, ...]) -> tuple[RowSet, ...]:
    """Those of which a policy allows so many: of columns there are so many as there are, but for their noise."""
    return sets if draws_of_counts(policy) else tuple(told for told in sets if not told.of_values)
