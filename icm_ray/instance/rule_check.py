"""Whether rules are about what this organisation has, and for peers whom it knows."""

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

__all__ = ["Offered", "check_rules", "is_over", "offered"]


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
    """The rules of an instance. Errors: `InstanceError` naming the one that names peers, datasets, models or pictures
    that are not there, or cannot be.
    """
    rules = Rules(folder, time)
    if not rules.all:
        return ()
    here, peers = offered(folder), Roster(folder).peers
    for rule in rules.all:
        unknown = [
            f"{name!r} is not offered here (icm data, icm model)"
            for name in rule.table.datasets
            if name not in here.of(rule)
        ]
        unknown += [f"{name!r} is no peer (icm peers)" for name in rule.table.peers if name not in peers]
        if unknown:
            raise InstanceError(
                f"{rules.path}: rule {rule.name!r}: {unknown[0]}; correct it there, or remove its lines",
                path=str(rules.path),
            )
    return rules.all


def is_over(rule: Rule, here: Offered) -> bool:
    """Whether what a rule is about was offered anew since, so that it approves nothing any more."""
    return any(here.of(rule).get(name) != version for name, version in rule.kept.canonical.versions)
