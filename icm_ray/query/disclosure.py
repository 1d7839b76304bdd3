"""What may be opened, from public facts alone: refused here is what need not reach a worker to be refused."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from icm_ray.errors import ColumnError, InputError, OwnerError, PolicyError
from icm_ray.names import DRIVER
from icm_ray.policy import Policy
from icm_ray.query.choices import chooses
from icm_ray.query.composed import bent, composed
from icm_ray.query.entities import not_by_entity
from icm_ray.query.expressions.tree import EVERY_ROW, columns_of
from icm_ray.query.expressions.words import words
from icm_ray.query.lane_build import Members
from icm_ray.query.merge import MergedRows
from icm_ray.query.noise import not_noised
from icm_ray.query.pool import each_alone
from icm_ray.query.question import Asked, Question
from icm_ray.query.rows import Rows, cells, column_of
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import SelectedRows
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.covariance import Covariance
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.most import Most
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.shape import Shape
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from icm_ray.query.told_rows import check_overlap

__all__ = ["check_disclosure", "fewest_values", "unanswered"]


def check_disclosure(asked: Asked, members: Members) -> None:
    """Refuse a question that the datasets' policies do not allow; sharing opens nothing.

    Errors: `InputError` (no statistics), `OwnerError` (a recipient that is no member), `PolicyError` (too few rows, a
    recipient or a kind of output that a policy does not allow).
    """
    question = asked.what
    if not isinstance(question, Question):
        return
    if not question.statistics:
        raise InputError("there is nothing to reveal")
    there = (*members.parties, *members.owners)
    to = question.to
    if to not in (*there, DRIVER):
        raise OwnerError(f"the recipient {to!r} is not in the session; there are {', '.join(there)}", recipient=to)
    check_overlap(asked)
    _check_lanes(asked)
    for statistic in question.statistics:
        rows = asked.rows(statistic.dataset)
        for learner in dict.fromkeys((to, DRIVER, *there) if statistic.all_learn and not rows.shared else (to,)):
            reason = _objection(statistic, rows, learner)
            if reason is not None:
                why = reason if learner == to else f"{reason}; every member learns it"
                raise PolicyError(why, dataset=rows.source, recipient=None if learner == DRIVER else learner)


def _check_lanes(asked: Asked) -> None:
    """A party's noise is drawn in the first lane that has rows of what is asked: in one lane for one dataset.

    Errors: `PolicyError` where another dataset would move it to a lane whose workers draw their own.
    """
    first = {min(facts.lanes) for facts in asked.facts if facts.lanes}
    for facts in asked.facts:
        noise = None if facts.policy is None else facts.policy.noise
        if noise is not None and noise.kind != "cell_key" and len(first) > 1:
            reason = "the policy adds noise: ask of this dataset by itself, for others are read in other lanes"
            raise PolicyError(f"{facts.source}: {reason}", dataset=facts.source)


def fewest_values(statistic: Statistic, rows: Rows) -> int:
    """How many values have to be behind a number of a statistic; 1 where there is no policy."""
    if rows.policy is None:
        return 1
    lost, fraction = getattr(statistic, "ddof", 1), getattr(statistic, "fraction", None)
    return rows.policy.fewest(statistic.operation, lost=lost, fraction=fraction)


def unanswered(statistic: Statistic, rows: Rows, there: Sequence[str]) -> str | None:
    """Why nobody would get a result, from public facts alone; None where somebody may. there: the members."""
    try:
        statistic.partials(rows)
    except ColumnError as error:
        return str(error)
    reasons = [_objection(statistic, rows, learner) for learner in (*there, DRIVER)]
    told = [reason for reason in reasons if reason is not None]
    if statistic.all_learn:
        return told[0] if told else None
    return told[-1] if len(told) == len(reasons) else None


def _objection(statistic: Statistic, rows: Rows, to: str) -> str | None:
    """Why the policy does not allow a result, from public facts alone: values are at most as many as rows."""
    policy, title, count = rows.policy, statistic.title, rows.count
    if policy is None:
        return None
    if reason := policy.objection(title, count, to) or policy.forbids(statistic.operation):
        return reason if title in reason else f"{title}: {reason}"
    reason = (
        _against_merge(statistic, rows)
        if isinstance(rows, MergedRows)
        else _by_entity(statistic, rows, policy) or _against_pool(statistic, rows, to)
    )
    if reason := reason or _computed(statistic, rows, policy) or not_noised(statistic, rows):
        return f"{title}: {reason}"
    fewest = fewest_values(statistic, rows)
    if count < fewest:
        return f"{title} has {count} rows behind it, the policy asks for {fewest} ({_why(statistic, policy)})"
    if statistic.contributed and policy.dominance and (where := _unknown(rows)):
        return (
            f"{title}: what single rows contribute to a sum is not known of {where}; a policy that allows it says "
            "largest = 100, two_largest = 100"
        )
    if policy.hide_zeros and isinstance(statistic, Distinct):
        return f"{title} tells which values nobody has, and the policy hides counts of zero"
    if reason := _too_fine(statistic, rows, policy):
        return f"{title} has {reason} for {count} rows, the policy allows {count // policy.rows_per_bin}"
    return None


def _against_pool(statistic: Statistic, rows: Rows, to: str) -> str | None:
    """Of rows of several datasets each that has a policy is judged alone: who asks may know all others."""
    alone = each_alone(rows)
    if not alone:
        return None
    instead = "ask it of each frame alone"
    if rows.private is not None:
        return f"private groups of frames with a policy are not concatenated: state domain=, or {instead}"
    if not statistic.adds_up and statistic.operation not in {"min", "max"}:
        return f"of concatenated frames it would tell values of one with a policy to who knows the others: {instead}"
    if any(own.policy is not None and (own.policy.entity or own.policy.noise is not None) for own in alone):
        return f"a frame whose policy adds noise or counts entities is not concatenated: {instead}"
    for own in alone:
        if reason := _objection(replace(statistic, dataset=own.name), own, to):
            return f"of concatenated frames each has to allow it alone: {reason}"
    return None


def _by_entity(statistic: Statistic, rows: Rows, policy: Policy) -> str | None:
    """Why a result is refused where rules hold for entities."""
    if not policy.entity:
        return None
    if not isinstance(statistic, Count | Sum | Mean | Variance | Covariance | Shape | Histogram):
        return f"the policy counts {policy.entity}, and does not say how many are beside {statistic.operation}"
    return not_by_entity(rows)


def _computed(statistic: Statistic, rows: Rows, policy: Policy) -> str | None:
    """Why a computed column would tell what no rule holds; counts of its values, and in bins, tell of rows alone."""
    if isinstance(rows, MergedRows) or isinstance(statistic, Count | Histogram | GroupKeys):
        return None
    for of in dict.fromkeys((statistic.column, getattr(statistic, "other", statistic.column))):
        if policy.expressions == "plain" and (part := bent(of, rows)):
            return (
                f"the policy allows plain expressions, and {part} is none: sums and differences of columns, and "
                "multiples of them, are, and what conditions choose"
            )
        if isinstance(statistic, Quantile | MinMax | Most):
            base = rows.base if isinstance(rows, SelectedRows) else rows
            before = base.composed if isinstance(base, SecretRows) else ()
            if composed(of, rows) or not set(before).isdisjoint(columns_of(of)):
                return "it shows a value, and the policy does not allow that of a column computed of several"
    return None


def _unknown(rows: Rows) -> str:
    """Of which rows it is not known how much single ones contribute; "" where it is."""
    if isinstance(rows, MergedRows):
        return "merged rows"
    if rows.shared and rows.private is not None:
        return "shared rows in groups of private keys"
    return "shared rows in so many groups" if isinstance(rows, SelectedRows) and rows.sorted_cells else ""


def _too_fine(statistic: Statistic, rows: Rows, policy: Policy) -> str:
    """Bins or groups, where there are too many of them for the rows."""
    if isinstance(statistic, Histogram):
        bins, word = len(statistic.edges) - 1, "bins"
    else:
        bins, word = cells(rows) if rows.by else 0, "bins" if any(key.edges for key in rows.by) else "groups"
    return f"{bins} {word}" if bins * policy.rows_per_bin > rows.count else ""


def _of_part(statistic: Statistic, rows: MergedRows) -> str | None:
    """Why a result is refused that is of some merged rows, of what is computed of them, or shows single values."""
    if not isinstance(statistic, Count | Sum | Mean | Variance | MinMax):
        return "of merged rows the policy allows count, sum, mean, var, std, sem, min and max alone"
    if any(where is not None for where in (rows.left.where, rows.right.where, rows.merge.where)):
        return "the policy does not allow to merge chosen rows: merge whole frames"
    computed = (of for of in (statistic.column, *(key.of for key in rows.by)) if not isinstance(of, str))
    if any(of != EVERY_ROW for of in computed) or any(key.edges for key in rows.by):
        return "the policy does not allow to compute with merged columns, or to group by what is computed of them"
    return None


def _against_merge(statistic: Statistic, rows: MergedRows) -> str | None:
    """Merged rows are not held against those of earlier answers, so merges are what a policy names."""
    if each_alone(rows.left) or each_alone(rows.right):
        return "concatenated frames with a policy are not merged: merge each of them alone"
    for side in (rows.left, rows.right):
        if side.policy is not None and "merge" not in (side.policy.operations or ()):
            return f"the policy of {side.source} does not allow merge: operations= has to name it"
        if side.policy is not None and (side.policy.entity or side.policy.noise is not None):
            does = f"counts {side.policy.entity}" if side.policy.entity else "adds noise"
            return f"the policy {does}, which is not done of merged rows"
    if reason := _of_part(statistic, rows):
        return reason
    of = statistic.column
    if isinstance(of, str) and not isinstance(statistic, Count) and column_of(rows, of).kind == "bool":
        return "the policy does not allow to sum conditions of merged rows: how many rows they choose is not checked"
    for side in (rows.left, rows.right):
        keys = rows.keys_of(right=side is rows.right)
        columns = [column.of for column in rows.merge.columns if column.right == (side is rows.right)]
        for of in (*(key.of for key in keys), *columns):
            if side.policy is not None and chooses(of, side.base):
                return f"the policy of {side.source} does not allow to merge {words(of)}, which chooses rows"
    return None


def _why(statistic: Statistic, policy: Policy) -> str:
    if getattr(statistic, "fraction", None) is not None:
        return f"{policy.min_rows} on either side"
    return f"{policy.residual_df} residual degrees of freedom"
