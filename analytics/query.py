"""A question that is asked but not yet answered: explained first, revealed on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NoReturn

from analytics.execute import Part, check, explain, heard_by, run
from analytics.mock_results import SAID, of_mock
from analytics.receipt import Receipt
from analytics.rows_stay import RowsStayError
from analytics.uncompared import Uncompared
from icm_ray.errors import InputError
from icm_ray.query.error_bound import ErrorBound
from icm_ray.query.noise import deviations
from icm_ray.runtime.driver.engine import Engine

if TYPE_CHECKING:
    from analytics.requests import Requested

__all__ = ["FOLLOWS", "Query", "together"]

FOLLOWS: Final = "questions that follow find what is not added up in the groups that this opens"


def _built(queries: Sequence[Query], to: str | None) -> list[Any]:
    """What queries make of their results, which are opened together; it may be a query again. What is for another
    organisation, a receipt stands for.
    """
    for query in queries:
        query._check_recipient(to)
    answered = run([part for query in queries for part in query._parts], to)
    if isinstance(answered[0], Receipt):
        return [answered[0]] * len(queries)
    results = iter(answered)
    return [query._build(list(islice(results, len(query._parts)))) for query in queries]


def _only(results: list[Any]) -> Any:
    (result,) = results
    return result


class Query(Uncompared):
    """A query asks for one statistic of a column. Nothing is computed, shared or opened before `reveal`.

    The methods of `SecureColumn` make queries: users do not call the class. Queries are not compared, and are neither
    numbers nor true or false before they are revealed (`TypeError`).

    Args:
        parts: What is asked: statistics, and of which rows.
        title: What it is, in words.
        build: What makes the result of those of the parts; by default the only one's. Where it makes a query, that is
            revealed next.
        note: What else there is to say of it in `explain`.
        follows: Whether `build` may make a query.
        then: What that asks, in groups of which one value stands for all; for whoever approves it before.

    Examples:
        >>> visits["age"].mean()
        <mean of age, not revealed: .explain() says what .reveal() opens>
    """

    __slots__ = ("_build", "_follows", "_note", "_parts", "_then", "_title")

    def __init__(
        self,
        parts: Sequence[Part],
        title: str,
        build: Callable[[list[Any]], Any] = _only,
        note: str = "",
        follows: bool = False,
        then: Sequence[Part] = (),
    ) -> None:
        self._parts, self._title, self._build, self._note = tuple(parts), title, build, note
        self._follows = follows
        self._then = tuple(then)

    def __repr__(self) -> str:
        return f"<{self._title}, not revealed: .explain() says what .reveal() opens>"

    def _why(self) -> str:
        return f"{self._title} has no value before .reveal(); compare what that gives"

    def __bool__(self) -> bool:
        raise TypeError(f"{self._title} has no value before .reveal()")

    def __float__(self) -> float:
        raise TypeError(f"{self._title} has no value before .reveal()")

    def _unrevealed(self, *_: Any) -> NoReturn:
        raise TypeError(f"{self._title} has no value before .reveal(); compute with what that gives")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _unrevealed
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _unrevealed
    __neg__ = __abs__ = __round__ = __int__ = __index__ = _unrevealed

    def __format__(self, form: str) -> str:
        return self._unrevealed() if form else str(self)

    def __getattr__(self, name: str) -> NoReturn:
        """What results have, they have once they are revealed."""
        if name.startswith("_"):
            raise AttributeError(f"a query has no attribute {name!r}")
        raise RowsStayError(f"{self._title} has no {name} before .reveal(): query.reveal().{name}")

    @property
    def error(self) -> ErrorBound:
        """A bound on the distance to the plaintext result, in the column's units; public, known beforehand.

        It is `absolute + relative |result| + root sqrt(|result|)`, of which `error.at(result)` is the value. Where a
        policy adds noise, `error.noise` has its standard deviation in the count and in the sum.

        Examples:
            >>> print(visits["age"].sum().error)
            exact
        """
        if len(self._parts) > 1:
            raise InputError(f"{self._title} has several results, each with its own error: see explain()")
        (part,) = self._parts
        noise = deviations(part.statistic, part.rows, len(self.session.parties))
        return replace(part.statistic.error(part.rows), noise=noise)

    def explain(self, to: str | None = None) -> str:
        """Say what `reveal(to)` opens and to whom, public sizes, rounds, bytes, bytes from the dealer, error bound.

        Args:
            to: The party or owner who would receive the result; None: the driver.

        Returns:
            Lines of text. No worker is asked.

        Raises:
            InputError: The rows were forgotten.
            OwnerError: No such recipient.
            PolicyError: The dataset's policy does not allow it.
            BoundError: The values do not fit the ring.

        Examples:
            >>> print(visits["age"].mean().explain())
            mean of age
              rows: 5 (3 of alice, 2 of bob), public; each owner aggregates its own and shares the aggregate
              plan: alice, bob, each in the clear: sum of age
              plan: the parties, on shares: join the owners' parts
              opened: the sum, to be divided by 5: the number of rows is public
            ...
        """
        self._check_recipient(to)
        told = explain(self._parts, to)
        told = f"{SAID}: nobody else is asked\n{told}" if self.session.mock else told
        return f"{self._note}\n{told}" if self._note else told

    def reveal(self, to: str | None = None) -> Any:
        """Compute the statistic and open the result, for its recipient alone.

        A recipient's own worker puts the value together and nobody else can; a driver that acts for the recipient (in
        a single-driver session it acts for all) gets it back.

        Args:
            to: The party or owner who puts the result together; None: the driver. In a session of `icm.connect`
                another organisation that takes part gets the result in its own instance (`icm results`), and nobody
                else does.

        Returns:
            An int or float, or (counts, edges) of a histogram, as the method that made the query says; a receipt where
            it is another organisation's.

        Raises:
            InputError: The rows were forgotten.
            OwnerError: No such recipient.
            PolicyError: The dataset's policy, or a party, does not allow it.
            BoundError: The values do not fit the ring.
            NullError: An infinite value, or a missing one where `astype("int")` meets it.
            ColumnError: Values that are not what their column is agreed to hold.
            SourceError: A file that was changed since it was opened, or cannot be read any more.
            SessionError: The session is closed, or has lost a lane that holds some of the rows.
            FaultError: A worker fails.

        Examples:
            >>> visits["age"].max().reveal(to="bob")
            70
        """
        return self.reveal_together([self], to)[0]

    def request(self, reason: str = "", to: str | None = None) -> Requested:
        """Ask the owners, who are other organisations, to approve this question, and let it wait for them.

        Args:
            reason: For the people who decide. What would be opened, and to whom, they read from the question itself.
            to: The organisation that the result is for; None: this one.

        Returns:
            A handle; its `result(timeout=...)` waits, and reveals.

        Raises:
            InputError: The session is not one of `icm.connect`, or a second question is made of what the first opens.
            IcmError: Whatever `check` raises.

        Examples:
            >>> icm.connect().peer("bob")["visits"]["cost"].mean().request(reason="cost study")  # doctest: +SKIP
            <request 0123456789abcdef: mean of cost, waiting>
        """
        from analytics.requests import request  # instances of organisations, for those who ask them alone

        if self._follows and not self._then:
            raise InputError(
                f"{self._title} is found in questions made of what the first one opens, which nobody can approve: of "
                "groups state the values, domain=; else ask for a standing approval"
            )
        whole = self._build is _only and len(self._parts) == 1
        self._check_recipient(to)
        return request(self.session, self._parts, self._title, reason, partial(self.reveal, to), whole, to, self._then)

    @classmethod
    def reveal_together(cls, queries: Sequence[Any], to: str | None = None) -> tuple[Any, ...]:
        """Reveal several results from one program with shared rounds; what serves several of them is computed once.

        `icm_ray.reveal` does this, and takes predictions too.

        Args:
            queries: Queries of one session, one or more.
            to: The party or owner who puts the results together; None: the driver.

        Returns:
            The results, in the order of the queries.

        Raises:
            InputError: No query, what is none, or queries of several sessions.
            IcmError: Whatever `reveal` raises.

        Examples:
            >>> an.Query.reveal_together([visits["age"].min(), visits["age"].max()])
            (29, 70)
        """
        for query in queries:
            if not isinstance(query, Query):
                raise InputError(f"only statistics are revealed together, not {type(query).__name__}")
        made = _built(queries, to)
        while further := {place: query for place, query in enumerate(made) if isinstance(query, Query)}:
            for place, result in zip(further, _built([*further.values()], to), strict=True):
                made[place] = result
        return tuple(map(of_mock, made)) if queries and queries[0].session.mock else tuple(made)

    @classmethod
    def explain_together(cls, queries: Sequence[Query], to: str | None = None) -> str:
        """Say what `reveal_together` opens.

        Args:
            queries: Queries of one session, one or more.
            to: The party or owner who would receive the results; None: the driver.

        Returns:
            Lines of text, as of `explain`.

        Raises:
            InputError: No query, or queries of several sessions.
            IcmError: Whatever `explain` raises.

        Examples:
            >>> print(an.Query.explain_together([visits["age"].min(), visits["age"].max()]).splitlines()[0])
            min of age
        """
        for query in queries:
            query._check_recipient(to)
        return explain([part for query in queries for part in query._parts], to)

    @property
    def session(self) -> Engine:
        """The session that answers the query.

        Examples:
            >>> visits["age"].mean().session is session
            True
        """
        return self._parts[0].dataset.engine

    @classmethod
    def _joined(cls, queries: Sequence[Query], title: str, build: Callable[[list[Any]], Any]) -> Query:
        """As `together`."""
        sizes = [(query._build, len(query._parts)) for query in queries]

        def made(results: list[Any]) -> Any:
            left = iter(results)
            found = [build_one(list(islice(left, size))) for build_one, size in sizes]
            further = {place: query for place, query in enumerate(found) if isinstance(query, Query)}
            if not further:
                return build(found)
            return cls._joined([*further.values()], title, lambda more: build(_replaced(found, further, more)))

        follows = any(query._follows for query in queries)
        return cls([part for query in queries for part in query._parts], title, made, follows=follows)

    def check(self, to: str | None = None) -> None:
        """Raise what `reveal(to)` would raise because of the question alone: no worker is asked.

        Args:
            to: The party or owner who would receive the result; None: the driver.

        Raises:
            InputError: The rows were forgotten.
            OwnerError: No such recipient.
            PolicyError: The dataset's policy does not allow it.

        Examples:
            >>> visits["age"].mean().check(to="bob")
        """
        self._check_recipient(to)
        check(heard_by(self._parts, to), to)

    def _check_recipient(self, to: str | None) -> None:
        """Raise `InputError` where what follows would have to be asked by who does not hear the first answer."""
        if self._follows and not self.session.hears(to or self.session.recipient):
            raise InputError(f"{self._title} is found in questions that follow from one another: ask for it yourself")


def _replaced(found: list[Any], places: Iterable[int], more: Sequence[Any]) -> list[Any]:
    """Results, those at some places others."""
    return [dict(zip(places, more, strict=True)).get(place, result) for place, result in enumerate(found)]


def together(queries: Sequence[Query], title: str, build: Callable[[list[Any]], Any]) -> Query:
    """One query for what `build` makes of the results of several, which are revealed together."""
    return Query._joined(queries, title, build)
