"""Equal questions keep partial shares under equal names: one waits for the other, and both are answered."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

import analytics as an
from analytics.dataset import Answering
from tests.analytics.conftest import engine_of

LIMIT = 30.0


def test_an_equal_question_waits_and_another_does_not():
    answering, waiting, entered = Answering(), threading.Event(), threading.Event()
    wait_for = answering._changed.wait_for

    def watched(may):
        if not may():
            waiting.set()
        return wait_for(may)

    answering._changed.wait_for = watched

    def ask():
        with answering.alone(b"equal"):
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with answering.alone(b"equal"):
            asked = pool.submit(ask)
            assert waiting.wait(LIMIT)
            with answering.alone(b"another"):
                assert not entered.is_set()
        asked.result(LIMIT)
    assert entered.is_set()


def test_equal_questions_of_several_threads_over_several_lanes():
    with engine_of("two parties, two lanes") as engine:
        column = an.from_pandas(engine, {"alice": pd.DataFrame({"x": np.arange(100)})})["x"]
        assert column.meant.dataset.facts.lanes == {0, 1}
        with ThreadPoolExecutor(4) as pool:
            found = [asked.result(LIMIT) for asked in [pool.submit(column.sum().reveal) for _ in range(8)]]
        assert found == [4950] * 8
        assert not engine.kept()


def test_a_frame_is_shared_twice():
    """... under names of its own: what one forgets, the other keeps."""
    with engine_of("two parties") as engine:
        frame = an.from_pandas(engine, {"alice": pd.DataFrame({"x": [1, 2, 3]})})
        first, second = frame.share(), frame.share()
        first.forget()
        assert second["x"].sum().reveal() == 6
        second.forget()
        assert not engine.kept()
