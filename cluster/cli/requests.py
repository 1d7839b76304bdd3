"""Requests of peers, and those of this organisation: `icm requests`, `show`, `approve`, `rules`, `deny`, `jobs`."""

from __future__ import annotations

from json import dumps
from time import time
from typing import Annotated

import typer

from cluster.cli.options import HOME, Home, Json
from cluster.cli.tables import Cell, table
from cluster.cli.terminal import outcome, say

__all__ = ["add_commands"]

Number = Annotated[int, typer.Argument(help="of the request, as icm requests lists it")]


def requests(home: Home = HOME, json: Json = False) -> None:
    """List what peers ask to be approved, and what was decided.

    Example: icm requests
    """
    from icm_ray.instance.moments import in_utc
    from icm_ray.instance.requests import Requests
    from icm_ray.instance.settings import read_settings

    folder, now = home.expanduser(), time()
    settings, kept = read_settings(folder), Requests(folder)
    found = [
        (
            one.number,
            one.asker,
            list(one.datasets),
            kept.condition(one, now) + (f", by rule {one.rule}" if one.rule else ""),
            f"{one.used} of {one.times}",
            in_utc(one.until),
            in_utc(one.since),
            one.reason,
        )
        for one in kept.all
    ]
    heads = ("number", "asker", "datasets", "state", "used", "until (UTC)", "since (UTC)", "reason")
    table(f"requests to {settings.name}", heads, found, json)


def show(number: Number, home: Home = HOME, json: Json = False) -> None:
    """Say what a request would open, to whom, and under which rules: derived from the question, and not from words;
    and what was asked of the same data before, by whom, and what is left of limits.

    Example: icm show 3
    """
    import msgspec

    from icm_ray.instance.asked_before import asked_before
    from icm_ray.instance.canonical import in_words
    from icm_ray.instance.moments import in_utc
    from icm_ray.instance.parameters import parameters
    from icm_ray.instance.requests import Requests
    from icm_ray.instance.settings import read_settings

    folder = home.expanduser()
    settings, kept = read_settings(folder), Requests(folder)
    one = kept.of(number)
    before = asked_before(folder, settings.name, one, kept.all)
    question = one.canonical
    opens, asked = in_words(question), parameters(question)
    state = kept.condition(one, time())
    if json:
        found = {"number": one.number, "asker": one.asker, "datasets": list(one.datasets), "state": state}
        uses = {"times": one.times, "used": one.used, "until": one.until, "reason": one.reason, "said": one.said}
        left = {"parameters": {item.name: item.literal.value for item in asked}, "left_open": one.left_open}
        left |= {"rule": one.rule, "parties": list(question.parties), "before": msgspec.to_builtins(before)}
        typer.echo(dumps({**found, **uses, **left, "opens": opens.splitlines(), "digest": one.digest}))
        return
    say(f"request {one.number} of {one.asker}, {in_utc(one.since)}: {state}, of {', '.join(one.datasets)}")
    if kept.sleeps(one):
        say(f"asleep: {one.asker} was met anew since, with another key; what is approved here is nothing for that one")
    say(f"computed by: {', '.join(question.parties)}, and a dealer")
    for line in opens.splitlines():
        say(line)
    for line in before.lines:
        say(line)
    if asked:
        say(f"parameters: {', '.join(f'{item.name} = {item.literal.value!r}' for item in asked)}; icm approve --params")
    if one.rule:
        say(f"approved by rule {one.rule}: icm rules")
    if one.left_open:
        say(f"left open: {one.left_open}; {one.used} of {one.times} uses are taken, whatever the values")
    say(f"digest: {one.digest}")
    say(f"{one.asker}'s reason, in its own words: {one.reason or 'none'}")


def approve(
    number: Number,
    home: Home = HOME,
    times: Annotated[int, typer.Option(help="how often it may be asked")] = 1,
    until: Annotated[str, typer.Option(help="the last moment, a date or a time (UTC), such as 2027-01-01")] = "",
    params: Annotated[list[str] | None, typer.Option(help="what is left open: year=2020..2025, 'ward=A|B'")] = None,
    rule: Annotated[str, typer.Option(help="write it into rules.toml under this name")] = "",
    json: Json = False,
) -> None:
    """Approve exactly the question of a request, for its asker, so many times, until then (a month, if not stated).

    --params leaves a literal of its filters open, by the column's name as icm show has it, and may be given again:
    numbers and dates from one to another (both included) or texts; --times counts questions with all values together.
    --rule makes it a rule, which approves the same question by itself whenever it is requested again: icm rules.

    Example: icm approve 3 --times 10 --until 2027-01-01 --params year=2020..2025 --params 'region=north|south'
    """
    from icm_ray.instance.decisions import Decisions
    from icm_ray.instance.moments import in_utc
    from icm_ray.instance.settings import read_settings

    folder = home.expanduser()
    one = Decisions(read_settings(folder).name, folder).approve(number, times, until, params or (), rule)
    lines = [f"{one.asker} may ask request {number} {times} times until {in_utc(one.until)} UTC"]
    if one.left_open:
        lines.append(f"left open: {one.left_open}")
    if one.rule:
        lines.append(f"rule {one.rule} approves it whenever it is requested, so often in all: {folder / 'rules.toml'}")
    facts = {"number": one.number, "asker": one.asker, "state": one.condition(time()), "times": times}
    outcome({**facts, "until": one.until, "left_open": one.left_open, "rule": one.rule}, json, *lines)


def rules(home: Home = HOME, json: Json = False) -> None:
    """List the rules that approve requests by themselves, as rules.toml has them, and say what each approves.

    Example: icm rules
    """
    from icm_ray.instance.moments import in_utc
    from icm_ray.instance.rule_check import check_rules, offered, state
    from icm_ray.instance.rules import Rules
    from icm_ray.instance.settings import read_settings

    folder = home.expanduser()
    settings, here, known = read_settings(folder), offered(folder), Rules(folder, time)
    there = check_rules(folder)
    found: list[tuple[Cell, ...]] = [
        (
            one.name,
            list(one.table.peers),
            list(one.table.datasets),
            state(one, here, known),
            f"{known.used(one.name)} of {one.table.times}",
            in_utc(one.until),
        )
        for one in there
    ]
    more: list[tuple[Cell, ...]] = [
        (one.table.question, [part.in_words for part in one.ranges], one.in_words) for one in there
    ]
    heads = ("name", "peers", "datasets", "state", "used", "until (UTC)")
    if json:
        table("", (*heads, "question", "left open", "what"), [a + b for a, b in zip(found, more, strict=True)], json)
        return
    table(f"rules of {settings.name}", heads, found)
    for one in there:
        say(f"{one.name}: {one.in_words}")
        if one.ranges:
            say(f"  left open: {', '.join(part.in_words for part in one.ranges)}")
        say(f"  question: {one.table.question}")


def deny(
    number: Number,
    reason: Annotated[str, typer.Argument(help="why: the asker reads it")] = "",
    home: Home = HOME,
    json: Json = False,
) -> None:
    """Deny a request, or take an approval back.

    Example: icm deny 3 "ages below 18 are not studied"
    """
    from icm_ray.instance.decisions import Decisions
    from icm_ray.instance.settings import read_settings

    folder = home.expanduser()
    one = Decisions(read_settings(folder).name, folder).deny(number, reason)
    facts = {"number": one.number, "asker": one.asker, "state": one.condition(time()), "said": one.said}
    outcome(facts, json, f"request {number} of {one.asker} is denied")


def jobs(home: Home = HOME, json: Json = False) -> None:
    """List what this organisation requested of others, and what each of them said.

    Example: icm jobs
    """
    from icm_ray.instance.jobs import Jobs
    from icm_ray.instance.moments import in_utc
    from icm_ray.instance.settings import read_settings

    folder, now = home.expanduser(), time()
    settings = read_settings(folder)
    found = [
        (
            job.id,
            job.title,
            job.condition(now),
            [f"{one.owner}: {one.condition(now)}" + (f" ({one.said})" if one.said else "") for one in job.owners],
            in_utc(job.since),
        )
        for job in Jobs(folder).all
    ]
    table(f"jobs of {settings.name}", ("id", "what", "state", "owners", "since (UTC)"), found, json)


def add_commands(app: typer.Typer) -> None:
    """Give the `icm` command those of requests."""
    for command in (requests, show, approve, rules, deny, jobs):
        app.command(command.__name__)(command)
