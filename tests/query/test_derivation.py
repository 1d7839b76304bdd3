"""A question is data: it travels, and means the same program wherever it arrives."""

import subprocess
import sys

import msgspec
import pytest

from icm_ray.errors import ProgramError
from icm_ray.query.lower import lower
from icm_ray.query.question import SharedColumn, decode_asked, encode_asked
from tests.query.derive import derived
from tests.query.facts import MEMBERS, QUESTIONS, SHARES, SHARING, VISITS


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_travels(name):
    asked = QUESTIONS[name]
    again = decode_asked(encode_asked(asked))
    assert again == asked
    assert again.digest == asked.digest


@pytest.mark.slow
def test_another_process_derives_the_same_programs_from_it_without_heavy_modules(tmp_path):
    """... and neither ray, torch, pandas, pyarrow nor a channel is loaded for it."""
    asked = list(QUESTIONS.values())
    given, made = tmp_path / "questions", tmp_path / "programs"
    given.write_bytes(msgspec.msgpack.encode(([encode_asked(item) for item in asked], MEMBERS)))
    command = [sys.executable, "-m", "tests.query.derive", str(given), str(made)]
    subprocess.run(command, check=True)
    assert msgspec.msgpack.decode(made.read_bytes()) == [derived(item, MEMBERS) for item in asked]


@pytest.mark.parametrize("payload", [b"", b"\x00", encode_asked(QUESTIONS["shares"])[:-1], b"\x91" * 5000])
def test_anything_else_is_no_question(payload):
    with pytest.raises(ProgramError, match="not a question"):
        decode_asked(payload)


def test_facts_of_every_dataset_are_needed():
    asked = msgspec.structs.replace(QUESTIONS["all together"], facts=(VISITS,))
    with pytest.raises(ProgramError, match="'labs'"):
        lower(asked, MEMBERS)


def names_of(asked):
    """What lanes keep."""
    lowered = lower(asked, MEMBERS)
    return {getattr(node.op, "key", None) for part in lowered.programs for node in part.program.nodes} - {None}


def test_names_of_partial_shares_tell_questions_apart():
    asked = QUESTIONS["owners' rows in two lanes"]
    other = msgspec.structs.replace(asked, what=msgspec.structs.replace(asked.what, to="carol"))
    kept = lower(asked, MEMBERS).kept
    assert kept[0].keys().isdisjoint(kept[1].keys()), "both end up in the first lane"
    assert names_of(asked) == {*kept[0], *kept[1]}
    assert names_of(asked).isdisjoint(names_of(other))


def test_names_of_shares_tell_datasets_partitions_columns_and_encodings_apart():
    assert len(set(SHARES.kept)) == len(SHARES.kept) == 3 * 5
    assert names_of(QUESTIONS["sharing"]) == set(SHARES.kept)
    for change in ({"into": "shares-2"}, {"f": 15, "columns": (SharedColumn("cost", "cost"),)}):
        other = msgspec.structs.replace(QUESTIONS["sharing"], what=msgspec.structs.replace(SHARING, **change))
        assert names_of(other).isdisjoint(SHARES.kept)
