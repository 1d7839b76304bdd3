"""Every error arrives whole where another process raised it."""

import copy
import inspect
import pickle
import re

import pytest

from icm_ray import errors
from icm_ray.error_codes import CODES, code_of, error_code
from icm_ray.errors import FaultError, IcmError
from tests.conftest import ROOT

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


def test_every_error_has_one_code():
    """... of its own, in the order of the table, and each has a sentence, a cause and a remedy."""
    assert sorted(item.kind.__name__ for item in CODES) == [cls.__name__ for cls in CLASSES]
    codes = [item.code for item in CODES]
    assert codes == sorted(set(codes))
    assert all(re.fullmatch(r"E\d{3}", code) for code in codes)
    for item in CODES:
        assert example(item.kind).code == item.code
        sentences = (item.says, item.seen_by, item.cause, item.remedy)
        assert all(text[0].isupper() or text[0] == "`" for text in sentences)
        assert all(text.endswith((".", "`.")) for text in sentences)


@pytest.fixture(scope="module")
def code():
    """All packages' text but the table's, on one line: what is said over several lines of it is whole."""
    files = [path for package in ("icm_ray", "analytics", "cluster") for path in (ROOT / package).rglob("*.py")]
    text = " ".join(path.read_text() for path in files if path.name not in {"error_codes.py", "errors.py"})
    return re.sub(r'"\s+f?"', "", text)


def test_what_is_raised_has_a_row_with_an_example(code):
    """... and what no code makes says that it is raised by none."""
    rows = {item.kind.__name__: item for item in CODES}
    made = set(rows) & set(re.findall(r"(?<!class )\b(\w+)\(", code))
    assert {name for name, item in rows.items() if item.example} == made


def test_examples_are_texts_of_the_code(code):
    """Between the names and numbers of an example stands what the code says there: three words of it, or all."""
    for item in CODES:
        words = item.example.split()
        runs = [" ".join(words[start : start + 3]) for start in range(max(1, len(words) - 2))]
        assert any(run in code for run in runs), item.code


def test_codes_are_stable():
    """A code that was given keeps its meaning."""
    known = {"PolicyError": "E202", "InstanceError": "E305", "PeerLost": "E401", "ColumnError": "E101"}
    assert {name: getattr(errors, name)("x").code for name in known} == known


def test_a_kind_of_an_error_has_its_code():
    class Narrower(errors.PolicyError):
        pass

    assert Narrower("x").code == error_code(errors.PolicyError).code


@pytest.mark.parametrize("text", ["E305", "e305", "305", "[E305]", " E305\n"])
def test_a_code_is_found_however_it_is_written(text):
    assert code_of(text).kind is errors.InstanceError


def test_what_is_no_code():
    with pytest.raises(errors.InputError, match="E999' is no code; there are E001, "):
        code_of("E999")
