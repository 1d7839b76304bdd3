"""Questions to models: data that serialises, and the same program wherever it is derived."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from icm_ray.errors import IcmError, InputError, OwnerError, ProgramError, UnsupportedError
from icm_ray.network.layers import LAYERS, AvgPool, Bent, Expand, Flatten, MaxPool, ProductLayer, Relu, Softmax
from icm_ray.network.programs import PredictionQuestion, decode_model_question, encode_model_question, program_of
from icm_ray.network.scheme import Scheme, TooWide
from icm_ray.ops.compare import CheckFlag
from icm_ray.ops.linear import Reveal
from icm_ray.ops.products import LoadWeight, OwnedProduct
from icm_ray.program.program import encode_program
from tests.network.facts import PARTIES, Chain, every_kind, load, model, prediction

DERIVE = """
import sys, hashlib
for name in ("torch", "pandas", "ray", "pyarrow"):
    sys.modules[name] = None  # an import of it raises
from icm_ray.network.programs import decode_model_question, program_of
from icm_ray.program.program import encode_program
for line in sys.stdin:
    program = program_of(decode_model_question(bytes.fromhex(line)), ("alice", "bob"), ("dora",))
    print(hashlib.sha256(encode_program(program)).hexdigest())
assert not any(name.startswith("icm_ray.transport") for name in sys.modules)
"""


def test_the_network_has_every_kind_of_layer() -> None:
    assert {type(node) for node in every_kind().nodes} == set(LAYERS)


@pytest.mark.parametrize("seed", ["1", "2"])
@pytest.mark.few(1)
def test_another_process_derives_the_same_bytes(seed) -> None:
    asked = (load(), prediction(), prediction(output="logits"))
    here = [hashlib.sha256(encode_program(program_of(each, PARTIES, ("dora",)))).hexdigest() for each in asked]
    done = subprocess.run(
        [sys.executable, "-c", DERIVE],
        input="\n".join(encode_model_question(each).hex() for each in asked),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == here


@pytest.mark.parametrize("question", [load(), prediction()])
def test_a_question_comes_back_from_its_bytes(question) -> None:
    assert decode_model_question(encode_model_question(question)) == question
    with pytest.raises(ProgramError, match="not a question"):
        decode_model_question(encode_model_question(question)[:-1])


def test_what_is_opened() -> None:
    program = program_of(prediction(to="alice"), PARTIES)
    (revealed,) = [node for node in program.nodes if isinstance(node.op, Reveal)]
    assert (revealed.op.to, revealed.op.name) == ("alice", "label")
    assert isinstance(program.nodes[revealed.inputs[0]].op, CheckFlag)


def test_weights_are_used_under_the_keys_that_they_are_loaded_under() -> None:
    loaded = [node.op for node in program_of(load(), PARTIES).nodes]
    used = [node.op for node in program_of(prediction(), PARTIES).nodes if isinstance(node.op, OwnedProduct)]
    assert all(isinstance(op, LoadWeight) for op in loaded)
    assert [(op.key, op.type, op.owner) for op in loaded] == [(op.key, op.weight, op.owner) for op in used]
    assert [op.name for op in loaded] == [node.name for node in every_kind().nodes if isinstance(node, ProductLayer)]


def test_keys_follow_from_model_version_and_owner() -> None:
    first = load()
    others = [
        replace(first, version="2"),
        replace(first, owner="bob"),
        replace(first, model=replace(model(), error=0.25)),
        replace(first, model=replace(model(), graph=every_kind().anonymous())),
    ]
    keys = [key for question in (first, *others) for key in question.keys().values()]
    assert len(set(keys)) == len(keys)
    assert load().keys() == first.keys()


def test_paths_of_modules_can_be_left_out() -> None:
    anonymous = replace(load(), model=replace(model(), graph=every_kind().anonymous()))
    assert b"secret.path" in encode_model_question(load())
    assert b"secret.path" not in encode_model_question(anonymous)


def test_names_outside_the_session_are_refused() -> None:
    for question in (prediction(to="mallory"), prediction(images="mallory"), replace(load(), owner="dora")):
        with pytest.raises(OwnerError):
            program_of(question, PARTIES, ("dora",))


def test_a_label_needs_one_axis() -> None:
    chain = Chain((2, 3))
    chain.add(Relu, (2, 3))
    with pytest.raises(UnsupportedError, match="one axis"):
        program_of(replace(prediction(), model=replace(model(), graph=chain.graph())), PARTIES)


def test_a_layer_that_does_not_fit_is_named() -> None:
    wide = replace(model(), scheme=Scheme(24, 10, 4))
    with pytest.raises(TooWide) as caught:
        program_of(replace(prediction(), model=wide), PARTIES)
    assert caught.value.where["node"] == "conv_0"


@pytest.mark.slow
def test_a_few_bytes_do_not_become_millions_of_operations() -> None:
    chain = Chain((1, 1000, 1000))
    window = {"kernel": (999, 999), "stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    chain.add(MaxPool, (1, 2, 2), **window)
    with pytest.raises(ProgramError, match="operations"):
        program_of(replace(prediction(output="logits"), model=replace(model(), graph=chain.graph())), PARTIES)


def _asked(chain: Chain, **changes) -> PredictionQuestion:
    return replace(prediction(**changes), model=replace(model(), graph=chain.graph()))


def test_a_few_classes_are_put_in_order_not_all_of_millions() -> None:
    chain = Chain((1, 1))
    chain.add(Expand, (1, 1 << 23))
    chain.add(Flatten, (1 << 23,))
    with pytest.raises(InputError, match="1 at most"):
        program_of(_asked(chain, output="top_k", k=2), PARTIES)


def test_places_of_a_mask_are_no_more_than_a_program_has_numbers_for() -> None:
    chain = Chain((1, 1))
    chain.add(Expand, (1 << 20, 1 << 20))
    chain.add(Softmax, (1 << 20, 1 << 20), closed=(0,))
    with pytest.raises(ProgramError, match="does not fit"):
        chain.graph()


def test_a_mask_of_many_rows_is_looked_at_once() -> None:
    chain = Chain((1 << 17, 3))
    chain.add(Softmax, (1 << 17, 3), closed=tuple(range(0, 3 << 17, 3)))  # in pairs: 2^34 comparisons
    assert chain.graph().output_shape == (1 << 17, 3)


def test_a_function_has_a_few_bends() -> None:
    chain = Chain((2,))
    chain.add(Bent, (2,), offset=0.0, slope=1.0, bends=((0.0, 0.5),) * 65)
    with pytest.raises(ProgramError, match="does not fit"):
        chain.graph()


def test_slopes_are_rounded_far_from_a_bend_too() -> None:
    at, change = -(2.0**19), 1 / 3
    chain = Chain((1,))
    chain.add(Bent, (1,), offset=at * change, slope=0.0, bends=((at, change),))
    program = program_of(_asked(chain, output="logits"), PARTIES)
    result = program.types()[-1]
    off = abs(round(change * 2**20) / 2**20 - change) * abs(at)
    assert result.magnitude >= off + 4 * change  # what becomes of 4, the bound of images


@pytest.mark.parametrize("divisor", [0.0, -1.0, float("nan"), float("inf")])
def test_divisors_are_numbers(divisor: float) -> None:
    chain = Chain((1, 2, 2))
    chain.add(AvgPool, (1, 1, 1), kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), divisor=divisor)
    with pytest.raises(ProgramError, match="does not fit"):
        chain.graph()


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), st.text(max_size=3), st.just([]), st.just({})
)


def _places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, (*path, key))


@given(data=st.data())
def test_whatever_is_sent_is_a_program_or_a_typed_error(data: st.DataObject) -> None:
    plain = msgspec.msgpack.decode(encode_model_question(prediction()))
    *outer, last = data.draw(st.sampled_from(list(_places(plain))[1:]))
    holder = plain
    for key in outer:
        holder = holder[key]
    holder[last] = data.draw(LEAVES)
    try:
        program_of(decode_model_question(msgspec.msgpack.encode(plain)), PARTIES)
    except IcmError:
        return
