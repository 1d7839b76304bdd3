import pandas as pd
import pytest

import analytics as an
from icm_ray.errors import ColumnError, InputError


@pytest.fixture
def frame(fresh):
    secret = pd.DataFrame({"age": [31, 77], "cost": [1.25, 2.5], "smokes": [True, False], "ward": ["secretA", "b"]})
    return an.from_pandas(fresh, {"alice": secret, "carol": secret.iloc[:1]})


def test_public_facts(fresh, frame):
    assert frame.columns == ("age", "cost", "smokes", "ward")
    assert list(frame) == list(frame.columns)
    assert frame.dtypes["age"] == "int"
    assert (frame.dtypes["cost"], frame.dtypes["smokes"]) == ("float", "bool")
    assert "string" in frame.dtypes["ward"]
    assert len(frame) == 3
    assert frame.shape == (3, 4)
    assert frame.owners == {"alice": 2, "carol": 1}
    assert "age" in frame
    assert not frame.shared


def test_repr_shows_no_data(frame):
    shared = frame[["age", "cost"]].share()
    for shown in (repr(frame), repr(shared), repr(frame["age"]), repr(frame["age"].max()), repr(shared["cost"])):
        assert not any(value in shown for value in ("31", "77", "1.25", "secretA"))
    assert "alice: 2" in repr(frame)
    assert "cost" in repr(frame)
    assert "shares" in repr(shared)


def test_columns_are_picked(frame):
    picked = frame[["cost", "age", "cost"]]
    assert picked.columns == ("cost", "age")
    assert picked.shape == (3, 2)
    assert picked["age"].sum().reveal() == 31 + 77 + 31
    with pytest.raises(ColumnError, match="'ward'"):
        picked["ward"]


@pytest.mark.parametrize("pick", ["agee", ["age", "agee"]])
def test_an_unknown_column_names_the_closest(frame, pick):
    with pytest.raises(ColumnError, match=r"'agee'; did you mean 'age'\?"):
        frame[pick]


def test_an_unknown_column_without_a_close_one_names_them_all(frame):
    with pytest.raises(ColumnError, match="there are age, cost, smokes, ward"):
        frame["zzz"]


def test_columns_are_picked_by_name(frame):
    with pytest.raises(ColumnError, match="name or a list"):
        frame[3]


@pytest.mark.parametrize("verb", ["sum", "mean", "var", "std", "min", "max", "histogram"])
def test_text_has_no_statistics(fresh, frame, verb):
    with pytest.raises(ColumnError, match=r"'ward' holds .*string"):
        getattr(frame["ward"], verb)()
    assert not fresh.jobs
    assert frame["ward"].count().reveal() == 3


def test_questions_are_no_numbers(frame):
    for use in (bool, float):
        with pytest.raises(TypeError, match=r"before \.reveal"):
            use(frame["age"].sum())
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(frame)


def test_forget(fresh, frame):
    shared = frame[["age"]].share()
    assert fresh.kept()
    shared.forget()
    assert not fresh.kept()


def test_what_was_forgotten_is_refused_in_words(fresh, frame):
    shared = frame[["age"]].share()
    column = frame["age"]
    for rows in (shared, frame):
        query = rows["age"].sum()
        rows.forget()
        for use in (query.reveal, query.explain, rows["age"].count().reveal):
            with pytest.raises(InputError, match=r"of age: its rows were forgotten; read \(or share\) them again"):
                use()
    with pytest.raises(InputError, match="rows were forgotten"):
        frame[["cost"]].share()
    with pytest.raises(InputError, match="forgotten"):
        column.max().reveal()
