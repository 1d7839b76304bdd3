"""Workers of one process work out the programs of a question once, for all of them.

That each of them does so by itself, and refuses what does not follow, is shown where nothing is put in its place:
tests/query, tests/runtime/test_plan_check.py, tests/security/test_lying_driver.py. The driver lowers on its own here
too, and what workers hold its programs against is made of what it sent.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from icm_ray.program.program_cache import Programs
from icm_ray.program.stamped import Stamped
from icm_ray.query import derivations

__all__ = ["derive_once"]

_MOST = 32


class Once:
    """The latest values of a pure function by their keys, for all threads; errors are raised anew."""

    def __init__(self):
        self._kept, self._lock = OrderedDict(), threading.RLock()

    def get(self, key, make):
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
                if len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
            return self._kept[key]


class Lowered:
    """A lowering whose programs are made once."""

    def __init__(self, way):
        self._way, self._stages = way, Once()

    def stage(self, stage):
        return self._stages.get(stage, lambda: self._way.stage(stage))


def derive_once(patch):
    """Let the thread engines of this process share what their workers derive and decode. patch: a `MonkeyPatch`."""
    lowering, decode = derivations.lowering, Programs.stamped
    ways, programs = Once(), Once()

    def lowered(asked, members):
        return ways.get((asked.digest, members), lambda: Lowered(lowering(asked, members)))

    def stamped(known, payload, settings) -> Stamped:
        return programs.get((payload, settings), lambda: decode(known, payload, settings))

    patch.setattr(derivations, "lowering", lowered)
    patch.setattr(Programs, "stamped", stamped)
