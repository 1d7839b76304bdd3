"""What comes over wires: whatever it is, a value of its type or the one error; nothing is skipped, nothing nests."""

import ast
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray import payload
from icm_ray.config import EngineConfig
from icm_ray.errors import Desynchronised, FaultError, InputError, ProgramError, SourceError
from icm_ray.policy import Policy
from icm_ray.preprocessing.filling import Filling, read_filling
from icm_ray.program.program import Program, decode_program, encode_program
from icm_ray.program.run_header import Begin, SlotName, read_begin
from icm_ray.program.stamped import RunSettings
from icm_ray.query.tasks import Aggregate, ColumnInfo, ColumnValues, CsvSource, Given, TableInfo
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Gather, Job, Open, Report, ResultMessage
from icm_ray.runtime.orders.lane_plan import LanePlan, Place, decode_member, decode_plan
from icm_ray.runtime.worker.worker_main import Settings, decode_settings
from tests.bad_payloads import CORPUS, nested
from tests.program.sample import every_operation

encode = msgspec.msgpack.encode
ROOT = Path(__file__).resolve().parents[1]
MEMBER = ("alice", "127.0.0.1", 4711, b"certificate")
JOB = Job(
    3,
    0,
    b"program",
    RunSettings(1 << 30, 2),
    {"alice": {"x": ColumnValues("t", "c", 0, 16, 20), "s": Aggregate("t", "c", (0, 1), "sum"), "g": Given()}},
)
ORDERS = [
    say.Run(1, JOB),
    say.Preprocess(1, JOB, 2),
    say.Commit(1),
    say.OpenTable(2, Open("t", CsvSource(("a.csv",)), (0, 1))),
    say.SetPolicy(3, "d", Policy(min_rows=5, recipients=("alice",))),
    say.LinkLanes(4, 1, 0, 2, MEMBER),
    say.GatherShares(5, Gather(9, 1, 0, (("key", (3, 4)),))),
    say.Forget(6, ("a", "b")),
    say.Exit(),
]
ANSWERS = [
    say.Prepared(1),
    say.Done(1, Report(1, 2, 3, 4, 0.5, {"wire": 0.1}), TableInfo((ColumnInfo("c", "int"),), (10, 20))),
    say.Failed(1, "PeerLost", "bob is gone", {"party": "bob", "partition": 3, "step": "open", "waited": 1.5}),
    ResultMessage(7, "total", (2,), bytes(16)),
]
PLAN = LanePlan("s", 0, ("alice", "bob"), (), (MEMBER,), ("driver", "", 0, b""))
BEGIN = Begin(1, bytes(32), 0, 1, SlotName(bytes(16), 0, 1, 0))
FILLING = Filling(1, bytes(32), bytes(16), 0, 1)

# What reads bytes from another process, something that it takes, and the error for all else.
READERS = {
    "order": (say.decode_order, [say.encode(order) for order in ORDERS], Desynchronised),
    "answer": (lambda sent: say.decode_answer(sent, "bob"), [say.encode(answer) for answer in ANSWERS], Desynchronised),
    "program": (
        decode_program,
        [encode_program(every_operation())],
        (ProgramError, InputError),
    ),  # or what no type fits
    "begin": (read_begin, [encode(BEGIN)], Desynchronised),
    "filling": (read_filling, [encode(FILLING)], Desynchronised),
    "plan": (decode_plan, [encode(PLAN)], Desynchronised),
    "member": (lambda sent: decode_member(sent, "bob"), [encode(MEMBER)], Desynchronised),
    "settings": (decode_settings, [encode(Settings(EngineConfig(), Place("localhost")))], Desynchronised),
}
SAMPLES = [(name, sample) for name, (_, samples, _) in READERS.items() for sample in samples]


def read(name, sent):
    """What a reader makes of it: None where it raises its error; any other error goes through."""
    reader, _, error = READERS[name]
    try:
        return reader(sent)
    except error:
        return None


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=[name for name, _ in SAMPLES])
def test_what_was_encoded_is_read(name, sample):
    assert encode(read(name, sample)) == sample


@pytest.mark.parametrize("what", CORPUS)
@pytest.mark.parametrize("name", READERS)
def test_the_corpus_is_refused(name, what):
    reader, _, error = READERS[name]
    with pytest.raises(error) as caught:
        reader(CORPUS[what])
    assert len(str(caught.value)) < 300


def test_depth_is_bounded_whatever_the_interpreter_allows():
    """With a high limit a decoder that calls itself would end the process."""
    before, caught = sys.getrecursionlimit(), []

    def deep():
        for name, what in (("order", "depth before a tag"), ("answer", "depth in where")):
            caught.append(read(name, CORPUS[what] + nested(b"\x91", 3_000_000)))

    sys.setrecursionlimit(10**7)
    try:
        thread = threading.Thread(target=deep)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(before)
    assert caught == [None, None]


@pytest.mark.parametrize("depth", [payload.DEEPEST - 1, payload.DEEPEST, payload.DEEPEST + 1])
@pytest.mark.parametrize("head", [b"\x91", b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01", b"\x81\xc0", b"\x92\xc0"])
def test_the_depth_is_the_number_of_containers(head, depth):
    assert payload.is_shallow(nested(head, depth)) == (depth <= payload.DEEPEST)


def wire_types():
    """Everything that msgspec reads here, by type."""
    roots = [say.Order, say.Answer, Program, Begin, Filling, LanePlan, Settings]
    seen, todo = [], [msgspec.inspect.type_info(root) for root in roots]
    while todo:
        info = todo.pop()
        if info in seen:
            continue
        seen.append(info)
        parts = [getattr(info, name, None) for name in ("type", "item_type", "key_type", "value_type")]
        parts += [*getattr(info, "types", ()), *getattr(info, "item_types", ())]
        parts += [field.type for field in getattr(info, "fields", ())]
        todo += [part for part in parts if isinstance(part, msgspec.inspect.Type)]
    return seen


def test_every_type_on_a_wire_is_exact():
    found = wire_types()
    structs = [info for info in found if isinstance(info, msgspec.inspect.StructType)]
    assert len(structs) > 60
    assert not [info.cls.__name__ for info in structs if not info.forbid_unknown_fields]
    assert not [info for info in found if isinstance(info, msgspec.inspect.AnyType | msgspec.inspect.RawType)]


@pytest.mark.slow
def test_payloads_are_decoded_in_one_place():
    allowed = {"icm_ray/payload.py"}
    for path in sorted((ROOT / "icm_ray").rglob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        wrong = [ast.unparse(call) for call in calls if ast.unparse(call).endswith(("msgpack.decode", "ECODER.decode"))]
        assert not wrong or str(path.relative_to(ROOT)) in allowed, f"{path}: {wrong[0]}; use icm_ray.payload.decode"


# --- at random ----------------------------------------------------------------------------------------------------

FACTS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8)
LEAVES = FACTS | st.integers(2**63, 2**64 - 1)
WORDS = st.sampled_from(
    ["type", "op", "call", "where", "message", "self", "party", "partition", "shape", "words", "kind", "Failed", "Run"]
)
TREES = st.recursive(
    LEAVES | WORDS | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(name=st.sampled_from(sorted(READERS)), sent=st.binary(max_size=80))
@settings(max_examples=200)
def test_any_bytes_are_read_or_refused(name, sent):
    read(name, sent)


@given(name=st.sampled_from(sorted(READERS)), tree=TREES)
@settings(max_examples=200)
def test_any_tree_is_read_or_refused(name, tree):
    read(name, encode(tree))


def places(tree, path=()):
    yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(value, (*path, key))


def planted(tree, path, value):
    if not path:
        return value
    copy = tree.copy()
    copy[path[0]] = planted(tree[path[0]], path[1:], value)
    return copy


@given(data=st.data(), which=st.sampled_from(SAMPLES), tree=TREES)
@settings(max_examples=300)
def test_any_value_in_any_place_is_read_or_refused(data, which, tree):
    name, sample = which
    whole = msgspec.msgpack.decode(sample)
    found = read(name, encode(planted(whole, data.draw(st.sampled_from(list(places(whole)))), tree)))
    if isinstance(found, say.Failed):
        assert_raisable(found)


@given(which=st.sampled_from(SAMPLES), changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1))
@settings(max_examples=200)
def test_any_changed_byte_is_read_or_refused(which, changes):
    name, sample = which
    raw = bytearray(sample)
    for at, byte in changes:
        raw[min(int(at * len(raw)), len(raw) - 1)] = byte
    read(name, bytes(raw))


@given(sent=st.binary(max_size=60) | TREES.map(encode))
@settings(max_examples=200)
def test_the_check_before_decoding_takes_whatever_is_whole(sent):
    """Against msgspec's own reading: what it takes untyped is one whole value."""
    try:
        msgspec.msgpack.decode(sent)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    assert payload.is_shallow(sent)


# --- errors as data -----------------------------------------------------------------------------------------------


def assert_raisable(sent: say.Failed):
    error = sent.error()
    assert error.message == sent.message
    if isinstance(error, FaultError):
        assert isinstance(error.party, str)
        assert isinstance(error.step, str)
        assert type(error.partition) in {int, type(None)}


@pytest.mark.parametrize("kind", [*sorted(say._ERRORS), "KeyboardInterrupt", "Failed", ""])
@pytest.mark.parametrize(
    "where", [{"message": "m"}, {"self": 1}, {"party": None, "partition": "3", "step": 4.0}, {"": ()}]
)
def test_an_error_can_be_raised_whatever_it_says_of_its_place(kind, where):
    assert_raisable(say.decode_answer(say.encode(say.Failed(1, kind, "text", where)), "bob"))


@given(
    kind=st.sampled_from(sorted(say._ERRORS)),
    where=st.dictionaries(WORDS | st.text(), FACTS | st.tuples(st.text()), max_size=6),
)
@settings(max_examples=300)
def test_an_error_comes_back_as_it_was_raised(kind, where):
    assert_raisable(say.decode_answer(say.encode(say.Failed(1, kind, "text", where)), "bob"))


def test_an_error_travels_whatever_it_holds():
    path = "/data/\udcff.csv"
    error = SourceError(f"{path}: " + "x" * 100_000, path=path, many=[path, 2], huge=2**70, other=object(), ok=True)
    came = say.decode_answer(say.encode(say.failed(1, error, "bob")), "bob").error()
    assert type(came) is SourceError
    assert came.message.startswith("bob: /data/\\udcff.csv: xxx")
    assert len(came.message) < 20_000
    assert came.where["path"] == "/data/\\udcff.csv"
    assert came.where["many"] == ("/data/\\udcff.csv", "2")
    assert came.where["huge"] == str(2**70)
    assert came.where["ok"] is True
