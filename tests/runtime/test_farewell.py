"""The word that a worker leaves for a silent driver is whole, whoever notices the silence."""

import threading
from types import SimpleNamespace

from icm_ray.config import EngineConfig
from icm_ray.errors import PeerSilent, SessionError
from icm_ray.runtime.worker.worker import Worker


class SlowLink:
    """Its first word takes until `go`; while it is said, and afterwards, another is refused."""

    def __init__(self):
        self.begun, self.go, self.said = threading.Event(), threading.Event(), []

    def say(self, answer):
        if self.begun.is_set():
            raise SessionError("the link is being closed")
        self.begun.set()
        assert self.go.wait(10)
        self.said.append(answer)

    def close(self):
        pass


def test_lease_and_link_may_notice_at_the_same_moment():
    ended = []
    link = SlowLink()
    worker = Worker("alice", EngineConfig(), SimpleNamespace(close=lambda: None), lambda: ended.append(list(link.said)))
    try:
        worker._driver = link
        first = threading.Thread(target=worker._lapse)
        first.start()
        assert link.begun.wait(10)
        second = threading.Thread(target=worker._control_lost, args=(PeerSilent("nothing came", party="driver"),))
        second.start()
        assert not ended
        link.go.set()
        for thread in (first, second):
            thread.join(10)
        assert [len(said) for said in ended] == [1, 1]
    finally:
        worker._driver = None
        worker.close()
