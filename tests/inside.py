"""What the workers of an engine of threads hold, for tests that look into them."""

from icm_ray.dealer.dealer import Dealer
from icm_ray.names import DEALER
from icm_ray.party.party import Party
from icm_ray.runtime.carriers.threads import ThreadEngine

__all__ = ["dealer_of", "parties_of"]


def parties_of(engine: ThreadEngine, lane: int) -> dict[str, Party]:
    """The parties of a lane."""
    handles = engine._lanes[lane].handles
    return {name: handles[name]._worker._role._linked for name in engine.parties}


def dealer_of(engine: ThreadEngine, lane: int) -> Dealer:
    """The dealer of a lane."""
    return engine._lanes[lane].handles[DEALER]._worker._role._linked
