"""Datasets as public facts, and questions about all that can be asked of them."""

import msgspec

from icm_ray.policy import OPERATIONS, Policy
from icm_ray.query.expressions.tree import apply, literal
from icm_ray.query.lane_build import Members
from icm_ray.query.merge import JoinedColumn, Merge
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.question import Asked, Question, SharedColumn, Sharing
from icm_ray.query.selection import Selection
from icm_ray.query.sharing import secret_rows
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.covariance import Covariance
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.statistics.distinct_in_groups import DistinctInGroups
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.most import Most
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.shape import Shape
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from icm_ray.query.tasks import ColumnInfo, GroupKey, PrivateKey

MEMBERS = Members(("alice", "bob", "carol"), ("dora",))
VISITS = OwnerRows(
    "visits",
    (
        ColumnInfo("age", "int", nullable=False),
        ColumnInfo("cost", "float", nullable=False),
        ColumnInfo("ok", "bool", nullable=False),
        ColumnInfo("ward", "string", nullable=False),
    ),
    (OwnerTable("table-1", "alice", (5, 7, 0, 2), (0, 1, 0, 1)), OwnerTable("table-2", "dora", (3, 4), (0, 1))),
    (("cost", 12),),
    Policy(min_rows=3, operations=OPERATIONS, residual_df=1, rows_per_bin=1),
)
ONE_LANE = OwnerRows("labs", (ColumnInfo("x", "float", nullable=False),), (OwnerTable("table-3", "bob", (100,), (0,)),))
SHARING = Sharing("visits", "shares-1", tuple(SharedColumn(name, name) for name in ("age", "cost", "ok")), 16, 20)
SHARES = secret_rows(SHARING, VISITS)


def every_statistic(dataset, column):
    edges = Histogram(dataset, column, edges=(-1.5, 0.1, 2.0**60))
    spread = Variance(dataset, column, 0), Variance(dataset, column, root=True)
    ends = MinMax(dataset, column), MinMax(dataset, column, least=True)
    simple = Count(dataset, column), Sum(dataset, column), Mean(dataset, column), *spread, *ends, edges
    if dataset == SHARING.into:
        return simple
    ranked = Quantile(dataset, column), Most(dataset, column, n=3)
    shapes = Shape(dataset, column), Shape(dataset, column, peaked=True)
    pairs = Covariance(dataset, column, other=column), Covariance(dataset, column, other=column, scaled=True)
    missing = apply("is_null", (column,))
    distinct = (Distinct(dataset, missing, domain=(False, True), modes=modes) for modes in (False, True))
    return *simple, *ranked, *shapes, *pairs, *distinct


def question(*facts, to="bob"):
    """Every statistic of every number of some datasets."""
    columns = [(rows.name, info.name) for rows in facts for info in rows.columns if info.kind != "string"]
    statistics = [item for dataset, column in columns for item in every_statistic(dataset, column)]
    return Asked(Question(tuple(statistics), to), facts)


GROUPS = Selection(
    "visits", private=PrivateKeys((PrivateKey("ward", "string", 8), PrivateKey("age", "int", 63)), most=8)
)


def of_groups():
    """Every statistic that groups of private keys have."""
    offered = Count, Sum, Mean, Variance, MinMax
    some = [item for item in every_statistic(GROUPS.name, "cost") if isinstance(item, offered)]
    keys = (GroupKeys(GROUPS.name, key.of, place) for place, key in enumerate(GROUPS.private.keys))
    return Asked(Question((*keys, *some), "bob", (GROUPS,)), (VISITS,))


def of_shared_groups(selection):
    """What groups of shared rows have that sorting finds."""
    offered = Count, Sum, Mean, Variance
    some = [item for item in every_statistic(selection.name, "cost") if isinstance(item, offered)]
    keys = [] if selection.private is None else [GroupKeys(selection.name, key.of) for key in selection.private.keys]
    plain = msgspec.structs.replace(SHARES, policy=None)
    return Asked(Question((*keys, *some), "bob", (selection,)), (plain,))


AGES = PrivateKeys((PrivateKey("age", "int", 31),), most=8)
CHOSEN = apply("greater", ("cost", literal(1.5)))
WARDS = OwnerRows(
    "wards",
    (ColumnInfo("ward", "string", nullable=False), ColumnInfo("beds", "int")),
    (OwnerTable("table-4", "bob", (4,), (1,)),),
)
WARD = PrivateKeys((PrivateKey("ward", "string", 8),), most=16)
MERGE = Merge(
    Selection("visits", private=WARD),
    Selection("wards", private=WARD),
    "inner",
    (JoinedColumn("cost", "cost"), JoinedColumn("ok", "ok"), JoinedColumn("beds", "beds", right=True)),
)


def of_merged_rows(**how):
    """Every statistic that merged rows have, of either side; under a policy, where one may be."""
    merge = msgspec.structs.replace(MERGE, **how)
    guarded = not merge.many and merge.private is None
    offered = (Count, Sum, Mean, Variance) + (() if merge.private is not None else (MinMax,))
    columns = ("cost", "beds")
    some = [item for of in columns for item in every_statistic(merge.name, of) if isinstance(item, offered)]
    if merge.private is not None:
        some += [GroupKeys(merge.name, key.of, place) for place, key in enumerate(merge.private.keys)]
    policy = msgspec.structs.replace(VISITS.policy, largest=100, two_largest=100) if guarded else None
    visits = msgspec.structs.replace(VISITS, policy=policy)
    return Asked(Question(tuple(some), "carol", merges=(merge,)), (visits, WARDS))


def of_ordered_groups(domain):
    """What is found by the order of values within groups."""
    chosen = Selection("shares-1", CHOSEN, (GroupKey("age", domain),))
    statistics = (
        Quantile(chosen.name, "cost"),
        MinMax(chosen.name, "cost"),
        DistinctInGroups(dataset=chosen.name, column="age"),
    )
    return Asked(Question(statistics, "bob", (chosen,)), (msgspec.structs.replace(SHARES, policy=None),))


WARDED = Selection("visits", by=(GroupKey("ward", ("a", "b")),))
DIFFERENT = PrivateKeys((PrivateKey("age", "int", 63),), most=8)
FLOORS = PrivateKeys((PrivateKey(apply("fill", ("beds", literal(0))), "int", 63),), most=16)


AGE = PrivateKeys((PrivateKey("age", "int", 31),), most=8)
OTHERS = OwnerRows(
    "doctors",
    (ColumnInfo("age", "int", nullable=False), ColumnInfo("pay", "float")),
    (OwnerTable("table-5", "bob", (4, 3), (0, 1)),),
)
OTHER_SHARES = secret_rows(
    Sharing("doctors", "shares-2", tuple(SharedColumn(name, name) for name in ("age", "pay")), 16, 20), OTHERS
)


def of_merged_shares(*, guarded=False, **how):
    """Statistics of the merged rows of two shared datasets; guarded: under a policy."""
    merge = Merge(
        Selection("shares-1", private=AGE),
        Selection("shares-2", private=AGE),
        how.pop("how", "inner"),
        (JoinedColumn("cost", "cost"), JoinedColumn("ok", "ok"), JoinedColumn("pay", "pay", right=True)),
        **how,
    )
    offered = (Count, Sum, Mean, Variance) + (() if merge.private is not None else (MinMax,))
    some = [item for of in ("cost", "pay") for item in every_statistic(merge.name, of) if isinstance(item, offered)]
    if merge.private is not None:
        some += [GroupKeys(merge.name, key.of, place) for place, key in enumerate(merge.private.keys)]
    elif not guarded:
        some += [Quantile(merge.name, "cost")] * (not merge.by)
    policy = msgspec.structs.replace(VISITS.policy, largest=100, two_largest=100) if guarded else None
    return Asked(
        Question(tuple(some), "carol", merges=(merge,)), (msgspec.structs.replace(SHARES, policy=policy), OTHER_SHARES)
    )


CHEAPER = apply("less", ("cost", "pay"))
OKS = PrivateKeys((PrivateKey("ok", "bool", 0),), most=8)
QUESTIONS = {
    "owners' rows in two lanes": question(VISITS),
    "owners' rows in one lane": question(ONE_LANE, to="driver"),
    "shares": question(SHARES, to="dora"),
    "all together": question(ONE_LANE, SHARES, VISITS),
    "groups of private keys": of_groups(),
    "merged rows": of_merged_rows(),
    "left merge": of_merged_rows(how="left"),
    "groups of merged rows": of_merged_rows(by=(GroupKey("beds", (1, 2)),)),
    "several rows of a key": of_merged_rows(how="left", many=True, by=(GroupKey("ok", (False, True)),)),
    "merged rows by private values": of_merged_rows(private=FLOORS),
    "merged shares": of_merged_shares(where=CHEAPER),
    "left merge of shares under a policy": of_merged_shares(
        guarded=True, how="left", by=(GroupKey("ok", (False, True)),)
    ),
    "merged shares by private values": of_merged_shares(private=OKS),
    "groups of shares by private keys": of_shared_groups(Selection("shares-1", CHOSEN, private=AGES)),
    "many groups of shares": of_shared_groups(Selection("shares-1", CHOSEN, (GroupKey("age", tuple(range(300))),))),
    "ranks of chosen shares": Asked(
        Question(
            tuple(kind(Selection("shares-1", CHOSEN).name, "cost") for kind in (Quantile, Most)),
            "bob",
            (Selection("shares-1", CHOSEN),),
        ),
        (msgspec.structs.replace(SHARES, policy=None),),
    ),
    "order in groups of shares": of_ordered_groups(tuple(range(9))),
    "order in many groups of shares": of_ordered_groups(tuple(range(300))),
    "different values in groups": Asked(
        Question((DistinctInGroups(dataset=WARDED.name, column="age", values=DIFFERENT),), "bob", (WARDED,)),
        (msgspec.structs.replace(VISITS, policy=None),),
    ),
    "sharing": Asked(SHARING, (VISITS,)),
}
