"""A member of a lane of Ray actors is killed or stopped in the middle of a run."""

import signal

import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import PeerLost, PeerSilent, SessionError
from tests.chaos.victims import QUICK, fails_after, gone

pytestmark = [pytest.mark.chaos, pytest.mark.ray]

HEAVY = pytest.mark.slow
STRUCK = [
    pytest.param("bob", signal.SIGKILL),
    pytest.param("dealer", signal.SIGSTOP, marks=HEAVY),  # of processes bob is stopped in every run
    *(pytest.param(name, signal.SIGKILL, marks=HEAVY) for name in ("alice", "dealer", "carol")),
    *(pytest.param(name, signal.SIGSTOP, marks=HEAVY) for name in ("alice", "bob", "carol")),
]


def struck(victim: str, how: int, config: EngineConfig) -> tuple[SessionError, float]:
    from icm_ray.runtime.session import Session

    with Session(owners=("carol",), lanes=1, config=config) as session:
        processes = {name: handle._pid for name, handle in session._lanes[0].handles.items()}
        error, seconds = fails_after(session, processes[victim], how)
        assert error.party == victim
        assert error.partition is not None
        with pytest.raises(SessionError, match=victim):
            session.execute([])
    assert gone(processes.values(), 1.0) == []
    return error, seconds


@pytest.mark.parametrize(("victim", "how"), STRUCK)
def test_struck(ray_cluster, victim, how):
    error, seconds = struck(victim, how, QUICK)
    assert isinstance(error, PeerLost if how == signal.SIGKILL else PeerSilent)
    assert seconds < (2.5 if how == signal.SIGKILL else QUICK.silence + 5)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_with_default_limits(ray_cluster, how):
    _, seconds = struck("bob", how, EngineConfig(free_programs=True))
    assert seconds < 30
