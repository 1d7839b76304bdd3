"""A driver that is not honest: every order is held against what was asked, by every member's own worker."""

from contextlib import contextmanager
from types import SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import InputError, LedgerChanged, PolicyError, ProgramError
from icm_ray.network.programs import decode_model_question, encode_model_question
from icm_ray.ops.linear import Load, Reveal
from icm_ray.policy import Policy
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings
from icm_ray.query.image_tasks import ImageRows
from icm_ray.query.lane_build import Members
from icm_ray.query.tasks import ColumnValues
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.orders.jobs import Job
from icm_ray.runtime.orders.origins import Free, FromPrediction, FromQuestion
from icm_ray.runtime.worker.plan_check import PlanCheck
from tests.twins import twin

FRAME = pd.DataFrame({"x": np.arange(40), "y": np.arange(40) / 8})
change = msgspec.structs.replace


class Lying(ProcessEngine):
    """Sends what `lie` makes of every job."""

    lie = staticmethod(lambda job: job)

    def execute(self, jobs):
        return super().execute([self.lie(job) for job in jobs])


@contextmanager
def lying(engine, lie):
    engine.lie = lie
    try:
        yield
    finally:
        del engine.lie


@pytest.fixture(scope="module")
def engine():
    config = EngineConfig(partition_bytes=200)
    with Lying(("alice", "bob"), ("carol",), lanes=2, config=config) as running:
        yield running


@pytest.fixture
def frame(engine):
    """Rows of a party and of an owner outside, in both lanes."""
    made = an.from_pandas(engine, {"alice": FRAME, "carol": FRAME})
    assert made._dataset.facts.lanes == {0, 1}
    return made


def altered(job, **changes):
    fields = {name: getattr(job, name) for name in LaneJob.__slots__}
    return LaneJob(**(fields | changes))


def other_program(job):
    """... with one number more revealed to the driver, where the question has it closed."""
    nodes = job.program.nodes
    opened = type(nodes[0])(Reveal("driver", "more"), (0,))
    return altered(job, program=change(job.program, nodes=(*nodes, opened)))


def other_task(job):
    """... of alice's: the sum of another column."""
    tasks = {
        owner: {name: change(task, column="y", read_as="float") for name, task in named.items()}
        for owner, named in job.tasks.items()
    }
    return altered(job, tasks=tasks)


LIES = {
    "another program": (other_program, ProgramError, "not the program that follows from the question"),
    "another task": (
        other_task,
        ProgramError,
        "refuses: the question does not imply what is asked of this owner",
    ),
    "another stage": (
        lambda job: altered(job, origin=FromQuestion(job.origin.asked, job.origin.stage + 1)),
        ProgramError,
        "in another lane|not the program|none of number",
    ),
    "another partition": (lambda job: altered(job, partition=job.partition + 1), ProgramError, "of another partition"),
    "another lane": (lambda job: altered(job, lane=1 - job.lane), ProgramError, "in another lane"),
    "no question": (
        lambda job: altered(job, origin=FromQuestion(b"\x93", 0)),
        ProgramError,
        "not a question",
    ),
    "a free program": (lambda job: altered(job, origin=Free()), PolicyError, "free_programs=True"),
    "a prediction": (
        lambda job: altered(job, origin=FromPrediction(job.origin.asked)),
        ProgramError,
        "not a question to a model",
    ),
}


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("verb", ["sum", "share"])
@pytest.mark.few(3)
def test_a_lie_is_refused_before_anything_is_shared(engine, frame, name, verb):
    lie, error, says = LIES[name]
    ask = frame["x"].sum().reveal if verb == "sum" else frame[["x"]].share
    before = engine.totals
    with lying(engine, lie), pytest.raises(error, match=says):
        ask()
    assert engine.totals == before
    assert frame["x"].sum().reveal() == 2 * FRAME["x"].sum(), "the session goes on"


def test_rows_that_an_owner_has_not(engine, frame):
    """... whether it is a party or not: policies ask for rows."""
    tables = frame._dataset.facts.tables
    for index, owner in enumerate(("alice", "carol")):
        more = list(tables)
        more[index] = change(tables[index], rows=tuple(rows + 1 for rows in tables[index].rows))
        for ask in (twin(frame, tables=tuple(more))["x"].sum().reveal, twin(frame, tables=tuple(more))[["x"]].share):
            with pytest.raises(ProgramError, match=f"{owner} refuses: its table has other rows"):
                ask()


def test_no_rows_of_files_are_left_out(engine, tmp_path):
    """... whichever lane would read them: all, less all but one partition's, are the rows of that one."""
    path = tmp_path / "x.parquet"
    FRAME.to_parquet(path)
    frame = an.read_parquet(engine, {"alice": str(path), "carol": str(path)})
    tables = frame._dataset.facts.tables
    for index, owner in enumerate(("alice", "carol")):
        rows, lanes = tables[index].rows, tables[index].lanes
        assert set(lanes) == {0, 1}
        for lane in (0, 1):
            fewer = list(tables)
            kept = tuple(count if at == lane else 0 for count, at in zip(rows, lanes, strict=True))
            fewer[index] = change(tables[index], rows=kept)
            some = twin(frame, tables=tuple(fewer))
            for ask in (some["x"].sum().reveal, some[["x"]].share):
                with pytest.raises(ProgramError, match=f"{owner} refuses: its table has other rows"):
                    ask()
    assert frame["x"].sum().reveal() == 2 * FRAME["x"].sum()


def test_a_dataset_is_what_it_was(engine, frame):
    shared = frame[["x"]].share()
    assert shared["x"].sum().reveal() == frame["x"].sum().reveal()
    for rows in (twin(frame, log2_bounds=(("x", 3),)), twin(shared, source="visits")):
        with pytest.raises(ProgramError, match=r"described otherwise than before|made of other rows"):
            rows["x"].max().reveal()


def test_rows_under_another_name_would_be_without_their_policy(engine, frame):
    shared = frame[["x"]].share()
    assert frame["x"].sum().reveal() == shared["x"].sum().reveal()
    with pytest.raises(ProgramError, match="belong to another one"):
        twin(frame, name="visits")["x"].max().reveal()
    with pytest.raises(ProgramError, match=r"keeps (no shares of 'visits'|nothing under)"):
        twin(shared, name="visits")["x"].max().reveal()


def test_a_policy_that_the_question_leaves_out(engine):
    frame = an.from_pandas(engine, {"alice": FRAME, "carol": FRAME}, policy=Policy(min_rows=50))
    for ask in (twin(frame, policy=None)["x"].histogram([0, 40, 50]).reveal, twin(frame, policy=None).share):
        with pytest.raises(PolicyError, match="another policy than this party keeps"):
            ask()
    counts, _ = frame["x"].histogram([0, 40, 50]).reveal()
    assert counts.tolist() == [80, 0]
    counts, _ = frame["x"].histogram([0, 30, 40]).reveal()
    assert counts.tolist() == [None, None]


def test_shares_by_their_bare_names_take_a_free_program(engine, frame):
    facts = frame[["x"]].share()._dataset.facts
    partition = facts.partitions[0]
    builder = Builder(engine.parties, engine.owners)
    kind = facts.encoding("x").type(partition.rows)
    builder.add(Reveal("driver", "x"), builder.add(Load(facts.key(partition, "x"), kind, facts.behind(partition))))
    with pytest.raises(PolicyError, match=r"(alice|bob|carol) refuses: no question and no model implies this program"):
        engine.execute([LaneJob(partition.lane, builder.build())])


@pytest.fixture(scope="module")
def model(engine):
    from torch import nn

    return an.SecureModel(engine, nn.Sequential(nn.Linear(3, 2)).eval(), "alice", (np.zeros((1, 3), np.float32),))


def values(table, job):
    return ColumnValues(table, "x", 0, 16, 3)


def pictures(table, job):
    """... as if they were images that the network takes."""
    asked = decode_model_question(job.origin.asked)
    return ImageRows(table, (0, 1), asked.model.scheme.input_f, asked.model.scheme.inputs)


def smuggled(table, task=values):
    """... with rows of a dataset in the images' place."""

    def lie(job):
        taken = task(table, job)
        tasks = {owner: dict.fromkeys(names, taken) for owner, names in job.given.items()}
        return altered(job, given={}, tasks=tasks)

    return lie


def other_reveal(job):
    """... of what goes into the last layer too."""
    nodes = job.program.nodes
    product = next(index for index, node in enumerate(nodes) if type(node.op).__name__ == "OwnedProduct")
    opened = type(nodes[0])(Reveal("driver", "more"), (product,))
    return altered(job, program=change(job.program, nodes=(*nodes, opened)))


def other_owner(job):
    """... as if the weights were another's."""
    question = decode_model_question(job.origin.asked)
    return altered(job, origin=FromPrediction(encode_model_question(change(question, owner="bob"))))


MODEL_LIES = {
    "another program": (lambda job: other_reveal(job) if job.partition else job, ProgramError, "not the program"),
    "a free program": (lambda job: altered(job, origin=Free()), PolicyError, "free_programs=True"),
    "another owner": (other_owner, ProgramError, "not the program"),
    "a question": (lambda job: altered(job, origin=FromQuestion(job.origin.asked, 0)), ProgramError, "not a question"),
}


@pytest.mark.parametrize("name", MODEL_LIES)
@pytest.mark.slow
def test_a_model_is_asked_what_it_is_asked(engine, model, name):
    images = np.ones((70, 3))
    lie, error, says = MODEL_LIES[name]
    with lying(engine, lie), pytest.raises(error, match=says):
        model.predict(images, owner="bob").reveal()
    assert model.predict(images[:2], owner="bob").reveal().shape == (2, 2)


def test_what_a_ledger_is_too_late_for_does_not_begin():
    """Its use of an approval is given back with the next job."""
    said = []

    def late():
        raise LedgerChanged("bob: another session came first", party="bob")

    ledgers = SimpleNamespace(commit=late, drop=lambda: None)
    guard = SimpleNamespace(**{name: lambda *_, name=name: said.append(name) for name in ("commit", "drop", "check")})
    check = PlanCheck("bob", 0, Members(("alice", "bob")), True, ledgers, guard)
    with pytest.raises(LedgerChanged):
        check.commit()
    check.tasks(Job(1, 0, b"", RunSettings()), None, {}, None)
    assert said == ["drop", "check"]
    ledgers.commit = lambda: None
    check.commit()
    assert said[2:] == ["commit"]


def test_a_model_gets_no_rows_of_datasets(engine, frame, model):
    table = frame._dataset.facts.tables[1].name
    with lying(engine, smuggled(table)), pytest.raises(ProgramError, match="a prediction takes no rows of a dataset"):
        model.predict(np.ones((2, 3)), owner="carol").reveal()


@pytest.mark.parametrize("task", [values, pictures])
@pytest.mark.parametrize("owner", ["alice", "carol"])
def test_a_model_gets_no_rows_that_a_policy_guards(engine, model, owner, task):
    """... from their first moment on, also of an owner that is no party, which is not told of policies."""
    frame = an.from_pandas(engine, {"alice": FRAME, "carol": FRAME}, policy=Policy())
    (table,) = [one.name for one in frame._dataset.facts.tables if one.owner == owner]
    with lying(engine, smuggled(table, task)), pytest.raises(ProgramError, match=r"no rows of a dataset|not here any"):
        model.predict(np.ones((2, 3)), owner=owner).reveal()


def other_rows(**changes):
    """... of the owner's images."""

    def lie(job):
        tasks = {
            owner: {name: change(task, **changes) for name, task in named.items()} for owner, named in job.tasks.items()
        }
        return altered(job, tasks=tasks)

    return lie


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"f": 3}, "the model does not take"),
        ({"bound": 40}, "the model does not take"),
        ({"rows": (0, 1, 0)}, "has shape"),
        ({"rows": (0, 7)}, "2 images, of which others"),
        ({"table": "other"}, "not here any more"),
    ],
)
def test_an_owner_reads_what_the_model_takes(engine, model, tmp_path, changes, says):
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    prediction = model.predict(tmp_path / "x.npy", owner="carol")
    with lying(engine, other_rows(**changes)), pytest.raises((ProgramError, InputError), match=says):
        prediction.reveal()
    assert prediction.reveal().shape == (2, 2)


def test_images_are_brought_by_whose_they_are(engine, model, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    prediction = model.predict(tmp_path / "x.npy", owner="bob")
    smuggle = lambda job: altered(job, tasks=dict.fromkeys(("alice", "bob"), job.tasks.get("bob", {})))  # noqa: E731
    with lying(engine, smuggle), pytest.raises(ProgramError, match="alice refuses: the model does not take"):
        prediction.reveal()


def test_members_are_told_their_own_tasks_alone(engine, model, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    prediction, jobs = model.predict(tmp_path / "x.npy", owner="carol"), []
    with lying(engine, lambda job: jobs.append(job) or job):
        prediction.reveal()
    job = Job(1, 0, b"", RunSettings(1, 1), {owner: dict(named) for owner, named in jobs[-1].tasks.items()})
    assert list(job.tasks) == ["carol"]
    assert job.for_member("carol").tasks == job.tasks
    assert job.for_member("alice").tasks == {}


@pytest.mark.slow
def test_what_was_derived_is_kept(engine, frame):
    """Asked again, a question is the same bytes: nobody derives it anew (`tests/query/test_derivations.py`)."""
    seen = []
    with lying(engine, lambda job: seen.append(job.origin) or job):
        first, second = frame["x"].sum().reveal(), frame["x"].sum().reveal()
    assert first == second
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]
