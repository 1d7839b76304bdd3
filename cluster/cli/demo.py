"""`icm demo`: two hospitals with real tables, then a model's owner and an images' owner, on a local Ray cluster; then
organisations apart, each with an instance of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.panel import Panel

__all__ = ["demo"]

_HOSPITALS = (
    "Two hospitals, [bold]alice[/] (north) and [bold]bob[/] (south), hold one file each of the\n"
    "Wisconsin breast-cancer data and want statistics of all patients. Each file is read by its\n"
    "owner's worker; only the results are opened."
)
_MODEL = (
    "[bold]alice[/] trained a small CNN on handwritten digits. [bold]bob[/] has images that he may not show.\n"
    "bob gets the predictions; alice sees no image, bob sees no weight."
)
_ORGANISATIONS = (
    "Now apart: [bold]alice[/], [bold]bob[/], [bold]dora[/] and a dealer, [bold]carol[/], have an instance each,\n"
    "in a process of its own, that believes no other; bob's only dials. They\n"
    "meet by tickets, and approve each other. alice offers bob her network for\n"
    "pictures of skin: he labels his own with it, and she hears nothing. Then he\n"
    "asks for statistics over all three hospitals' patients."
)
_NOTE = "One Ray cluster under one administrator simulates the parties' isolation; instances have it: see README."


def demo() -> None:
    """Show the main uses on real data, every secure result beside the plain one. About a minute.

    Example: icm demo
    """
    from cluster.cli.demo_digits import Digits, digits_table
    from cluster.cli.demo_hospitals import Hospitals, histogram_bars, statistics_table
    from cluster.cli.demo_organisations import story_table, told
    from icm_ray import Session

    console, began = Console(), perf_counter()
    console.print(Panel(_HOSPITALS, title="joint statistics", expand=False))
    with tempfile.TemporaryDirectory() as folder:
        hospitals = Hospitals.write(Path(folder))
        digits = Digits.load()
        with console.status("training alice's model on digits ..."):
            digits.train()
        with console.status("starting a local Ray cluster and one lane of workers ..."):
            session = Session(parties=("alice", "bob"))
        with session:
            console.print(
                f"ready after {perf_counter() - began:.1f} s: {session.lanes} lane of alice, bob and the dealer\n"
            )
            with console.status("computing on shares ..."):
                statistics = hospitals.compute(session)
            console.print(statistics.explanation, highlight=False, style="dim")
            console.print(statistics_table(statistics))
            console.print(histogram_bars(statistics))
            console.print(Panel(_MODEL, title="predictions", expand=False))
            predictions = digits.predict(session, console)
            console.print(predictions.explanation, highlight=False, style="dim")
            console.print(digits_table(predictions))
            statistics.check()
            predictions.check()
        console.print(Panel(_ORGANISATIONS, title="between organisations", expand=False))
        story = told(console, Path(folder) / "organisations")
        console.print(story_table(story))
        story.check()
    console.print(
        f"\nDone in {perf_counter() - began:.1f} s; every secure result equals the plain one within its bound."
    )
    console.print(_NOTE, style="dim")
