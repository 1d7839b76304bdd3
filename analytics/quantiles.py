"""Values of some ranks as pandas asks for them: quantiles, one or several as a Series; the largest and least values."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, Final, get_args

from analytics.meant import Meant
from analytics.query import Query
from analytics.shown import Shown
from analytics.withheld import Reasons, mark, withheld_cells
from icm_ray.errors import InputError
from icm_ray.query.statistics.most import MOST_VALUES, Most
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.ranks import Interpolation
from icm_ray.query.withheld import Withheld

__all__ = ["checked", "interpolated", "most", "quantiles", "several"]

_INTERPOLATIONS: Final = get_args(Interpolation)
_MOST: Final = 128


def quantiles(meant: Meant, found: Shown, name: str | None, q: float | Sequence[float], interpolation: Any) -> Query:
    """A query for a number, or, where q is a list, for a pandas Series of that name with q as its index.

    Errors: `InputError` (q beyond 0 and 1, none or more than 128, no such interpolation).
    """
    interpolation = interpolated(interpolation)
    single = isinstance(q, Real)
    wanted = [checked(q)] if single else several(q)
    dataset = meant.name()
    statistics = [
        Quantile(dataset, found.of, q=one, interpolation=interpolation, whole_ticks=found.whole) for one in wanted
    ]
    parts = [meant.part(statistic) for statistic in statistics]
    if single:
        return Query(parts, statistics[0].title, lambda results: found.show(results[0]))
    title = f"{', '.join(f'{one:g}' for one in wanted)} quantiles of {statistics[0].in_words}"
    return Query(parts, title, lambda results: _series([*map(found.show, results)], wanted, name))


def most(meant: Meant, found: Shown, name: str | None, n: Any, *, least: bool) -> Query:
    """A query for the n largest or least values, a pandas Series of that name.

    Errors: `InputError` (n that is no number from 1 to 100).
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST_VALUES:
        raise InputError(f"1 to {MOST_VALUES} of the values are shown, not {n!r}")
    statistic = Most(meant.name(), found.of, n, least)
    return Query([meant.part(statistic)], statistic.title, lambda results: _values(results[0], found, name))


def _values(result: Any, found: Shown, name: str | None) -> Any:
    import pandas as pd

    if isinstance(result, Withheld):
        return result
    if not result:
        return pd.Series([], name=name, dtype=pd.Series([found.show(0)]).dtype if found.in_units else float)
    return pd.Series([found.show(value) for value in result], name=name)


def interpolated(interpolation: Any) -> Interpolation:
    """What is taken between two values. Errors: `InputError` (no such interpolation)."""
    if interpolation not in _INTERPOLATIONS:
        raise InputError(f"interpolation is one of {', '.join(_INTERPOLATIONS)}, not {interpolation!r}")
    found: Interpolation = interpolation
    return found


def several(q: Any) -> list[float]:
    """A list of q as numbers. Errors: `InputError` (no list, none or more than 128, one beyond 0 and 1)."""
    try:
        wanted = [checked(one) for one in q]
    except TypeError:
        raise InputError(f"q is a number from 0 to 1 or a list of them, not {q!r}") from None
    if not 1 <= len(wanted) <= _MOST:
        raise InputError(f"1 to {_MOST} quantiles are asked for at once, not {len(wanted)}")
    return wanted


def checked(q: Any) -> float:
    """A q as a number. Errors: `InputError` (none from 0 to 1)."""
    number = float(q) if isinstance(q, Real) and not isinstance(q, bool) else -1.0
    if not 0 <= number <= 1:
        raise InputError(f"quantiles lie from 0 to 1, not at {q!r}")
    return number + 0.0  # there is one zero


def _series(results: Sequence[Any], wanted: Sequence[float], name: str | None) -> Any:
    import pandas as pd

    shown = [float("nan") if isinstance(item, Withheld) else item for item in results]
    series = pd.Series(shown, index=pd.Index(wanted, dtype="float64"), name=name)
    return mark(series, Reasons(withheld_cells([results], list(wanted), ())))
