"""Every error arrives whole where another process raised it."""

import copy
import inspect
import pickle

import pytest

from icm_ray import errors
from icm_ray.errors import FaultError, IcmError

CLASSES = sorted(
    (cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, BaseException)),
    key=lambda cls: cls.__name__,
)
FAULTS = [cls for cls in CLASSES if issubclass(cls, FaultError)]


def example(cls: type[IcmError]) -> IcmError:
    if issubclass(cls, FaultError):
        return cls("bob sent nothing for 10 s", party="bob", partition=3, step="open", waited=10.0)
    return cls("no column 'agee'; did you mean 'age'?", column="agee", known=["age", "cost"])


def assert_same(arrived: IcmError, sent: IcmError) -> None:
    assert type(arrived) is type(sent)
    assert str(arrived) == str(sent)
    assert arrived.args == sent.args
    assert arrived.message == sent.message
    assert arrived.where == sent.where
    if isinstance(sent, FaultError):
        assert (arrived.party, arrived.partition, arrived.step) == (sent.party, sent.partition, sent.step)


def test_the_module_exports_all_of_its_errors():
    assert sorted(errors.__all__) == [cls.__name__ for cls in CLASSES]


def test_one_root():
    assert [cls for cls in CLASSES if not issubclass(cls, IcmError)] == []


@pytest.mark.parametrize("cls", CLASSES)
def test_survives_pickle_and_copy(cls):
    for sent in (example(cls), cls("the message")):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert_same(pickle.loads(pickle.dumps(sent, protocol)), sent)
        assert_same(copy.deepcopy(sent), sent)


@pytest.mark.parametrize("cls", FAULTS)
def test_a_fault_names_party_partition_and_step(cls):
    arrived = pickle.loads(pickle.dumps(example(cls)))
    assert (arrived.party, arrived.partition, arrived.step) == ("bob", 3, "open")
    assert arrived.where == {"party": "bob", "partition": 3, "step": "open", "waited": 10.0}


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, errors.InputError)])
def test_bad_input_is_a_value_error(cls):
    with pytest.raises(ValueError, match="did you mean 'age'"):
        raise example(cls)
