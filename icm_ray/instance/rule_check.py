"""Whether rules are about what this organisation has, and for peers whom it knows.

A rule that is about something else sleeps: approvals are for the version that was offered, so that it approves nothing.
One that names nobody whom the roster has is at fault: who gets that name later is not who was meant.
"""

from __future__ import annotations

from pathlib import Path
from time import time
from typing import NamedTuple

from icm_ray.errors import InstanceError
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.pictures import PictureShelf
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.instance.roster import Roster
from icm_ray.instance.rules import Rule, Rules

__all__ = ["Offered", "asleep", "check_rules", "offered", "state"]


class Offered(NamedTuple):
    """By name, of what is offered now: the version that approvals are for."""

    datasets: dict[str, str]
    models: dict[str, str]
    pictures: dict[str, str]

    def of(self, rule: Rule) -> dict[str, str]:
        """Of the kind that a rule is about."""
        form = rule.kept.canonical
        if isinstance(form, PredictionForm):
            return self.models if form.part == "model" else self.pictures
        return self.datasets


def offered(folder: Path) -> Offered:
    """By an instance. Errors: `InstanceError`."""
    datasets = {name: held.as_offered for name, held in Catalogue(folder).datasets.items()}
    models = {name: held.version for name, held in ModelShelf(folder).models.items()}
    return Offered(datasets, models, {name: held.version for name, held in PictureShelf(folder).pictures.items()})


def check_rules(folder: Path) -> tuple[Rule, ...]:
    """The rules of an instance. Errors: `InstanceError` naming the one that names peers that are not there, or that
    cannot be.
    """
    rules = Rules(folder, time)
    if not rules.all:
        return ()
    peers = Roster(folder).peers
    for rule in rules.all:
        if unknown := [name for name in rule.table.peers if name not in peers]:
            raise InstanceError(
                f"{rules.path}: rule {rule.name!r}: {unknown[0]!r} is no peer (icm peers); correct it there, or remove "
                "its lines",
                path=str(rules.path),
            )
    return rules.all


def asleep(rule: Rule, here: Offered) -> str:
    """Why a rule approves nothing, whatever is requested: what it is about is not there as it was; "" where it is."""
    versions = here.of(rule)
    if gone := [name for name in rule.table.datasets if name not in versions]:
        return f"asleep: {gone[0]!r} is not offered here"
    over = any(versions[name] != version for name, version in rule.kept.canonical.versions)
    return "offered anew since" if over else ""


def state(rule: Rule, here: Offered, rules: Rules) -> str:
    """In a few words: why it sleeps, else whether it approves, has expired, or is used up."""
    if others := [peer for peer in rule.table.peers if rules.for_another(rule, peer)]:
        return f"asleep: {', '.join(others)} has another key now"
    if any(rules.sleeps(rule, peer) for peer in rule.table.peers):
        return "asleep: the instance (icm serve) has not read it yet"
    return asleep(rule, here) or rules.condition(rule)
