"""What is computed has one name, whatever it is given to work in; what is run has another for every plan."""

import msgspec
import pytest

from icm_ray.errors import Desynchronised, ProgramError
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.ops.seams import Address
from icm_ray.ops.values import ValueType
from icm_ray.preprocessing.keys import slot_key
from icm_ray.program.build import Builder
from icm_ray.program.keys import key_for
from icm_ray.program.program import decode_program, encode_program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Job

SETTINGS = [
    RunSettings(), RunSettings(1), RunSettings(1 << 62), RunSettings(0, 2), RunSettings(1, 2), RunSettings(2, 1),
    RunSettings(0, 1 << 12), RunSettings(256, 1), RunSettings(1, 256),
]  # fmt: skip


def program(rows=5000):
    builder = Builder(("alice", "bob"))
    x = builder.add(Input("alice", "x", ValueType(shape=(rows,), width=40)))
    builder.add(Reveal("bob", "y"), builder.add(Relu(Epilogue(relu=True)), x))
    return builder.build()


def words(key):
    return key.words(0, 0, 4).tobytes()


def test_a_program_is_named_by_what_it_computes():
    one, again = program(), decode_program(encode_program(program()))
    for settings in SETTINGS:
        stamped = Stamped(again, settings)
        stamped.plan()
        assert stamped.program == one
        assert stamped.program.digest == one.digest
        assert encode_program(stamped.program) == encode_program(one)


def test_addresses_and_keys_are_those_of_one_plan():
    """Two members that stamp different settings have no stream in common, live or dealt ahead of time."""
    digests = [Stamped(program(), settings).digest for settings in SETTINGS]
    assert {len(digest) for digest in digests} == {32}
    assert len({program().digest, *digests}) == len(SETTINGS) + 1
    live = {words(key_for(b"s" * 32, "pair", Address(1, digest, 0, 1))) for digest in digests}
    slots = {words(slot_key(b"s" * 32, digest, b"t" * 16, 0)) for digest in digests}
    assert len(live | slots) == 2 * len(SETTINGS)


def test_equal_settings_are_one_address():
    assert Stamped(program(), RunSettings(7, 3)).digest == Stamped(program(), RunSettings(7, 3)).digest
    assert Stamped(program(7)).digest != Stamped(program(8)).digest


def test_plans_follow_from_the_settings():
    cut, whole = (Stamped(program(), RunSettings(in_flight)) for in_flight in (1 << 17, 1 << 40))
    assert len(cut.plan().steps) > len(whole.plan().steps) == len(whole.program.nodes)
    assert cut.cost().rounds > whole.cost().rounds
    assert cut.cost().sent == whole.cost().sent


def test_plan_and_digest_are_computed_once():
    stamped = Stamped(program())
    assert stamped.plan() is stamped.plan()
    assert stamped.digest is stamped.digest


@pytest.mark.parametrize("threads", [0, -1, (1 << 12) + 1, 10**9, -(2**63), 2**63 - 1])
def test_threads_that_no_worker_has(threads):
    with pytest.raises(ProgramError, match=f"one thread at least, 4096 at most, not {threads}"):
        Stamped(program(), RunSettings(0, threads))


@pytest.mark.parametrize("in_flight", [-1, -(10**9), -(2**63), (1 << 62) + 1, 2**64 - 1])
def test_bytes_that_no_worker_holds(in_flight):
    with pytest.raises(ProgramError, match=f"cannot hold {in_flight} bytes"):
        Stamped(program(), RunSettings(in_flight))


@pytest.mark.parametrize("settings", [None, {}, {"in_flight": "much"}, {"threads": 2.0}, {"threads": 1, "nodes": 3}, 7])
def test_settings_of_another_kind_are_no_order(settings):
    """Those of a job are whole numbers, both by name; what is left out is the default."""
    order = msgspec.to_builtins(say.Run(1, Job(1, 0, encode_program(program()), RunSettings())), builtin_types=(bytes,))
    order["job"]["settings"] = settings
    sent = msgspec.msgpack.encode(order)
    if settings == {}:
        assert say.decode_order(sent).job.settings == RunSettings()
        return
    with pytest.raises(Desynchronised):
        say.decode_order(sent)
