"""Programs that come again."""

import pytest

from icm_ray.errors import ProgramError
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.program import Program, decode_program, encode_program
from icm_ray.program.program_cache import Programs
from icm_ray.program.stamped import RunSettings, Stamped


def payload(name: str) -> bytes:
    builder = Builder(("alice", "bob"))
    builder.add(Reveal("bob", name), builder.add(Input("alice", "x", ValueType(shape=(3,), width=10))))
    return encode_program(builder.build())


def test_the_same_bytes_are_the_same_program():
    programs, first = Programs(), payload("one")
    found = programs.stamped(first, RunSettings())
    assert found == Stamped(decode_program(first))
    assert programs.stamped(bytes(bytearray(first)), RunSettings()) is found
    assert programs.stamped(payload("two"), RunSettings()) == Stamped(decode_program(payload("two")))
    assert len(programs) == 2


def test_the_least_recently_used_goes_first():
    one, two, six = payload("one"), payload("two"), payload("six")
    programs = Programs(limit=len(one) + len(two))
    kept = programs.stamped(one, RunSettings())
    gone = programs.stamped(two, RunSettings())
    assert programs.stamped(one, RunSettings()) is kept
    programs.stamped(six, RunSettings())
    assert len(programs) == 2
    assert programs.stamped(one, RunSettings()) is kept
    assert programs.stamped(two, RunSettings()) is not gone


def test_one_beyond_the_limit_is_kept_until_the_next():
    programs, one = Programs(limit=1), payload("one")
    assert programs.stamped(one, RunSettings()) is programs.stamped(one, RunSettings())
    programs.stamped(payload("two"), RunSettings())
    assert len(programs) == 1


def test_what_is_no_program_is_refused_every_time():
    programs = Programs()
    for _ in range(2):
        with pytest.raises(ProgramError, match="not a program"):
            programs.stamped(b"nothing", RunSettings())
    assert len(programs) == 0


def test_a_program_with_wrong_types_is_refused_every_time():
    wrong = Program(("alice", "alice"), ())
    for _ in range(2):
        with pytest.raises(ProgramError, match="two or more different parties"):
            wrong.types()


def test_types_and_digest_are_computed_once_and_travel_not():
    program = decode_program(payload("one"))
    before = encode_program(program)
    assert program.types() is program.types()
    assert program.digest is program.digest
    assert encode_program(program) == before
    assert program == decode_program(before)
