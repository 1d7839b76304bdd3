"""Values that are planted in an owner's rows: no file, log or error of any instance holds them, whatever is asked."""

from __future__ import annotations

import logging
import struct

import numpy as np
import pandas as pd
import pytest

import icm_ray as icm
from icm_ray.instance.offer import offer

NUMBER, AGE, TEXT, HUGE = 731904.21875, 918273645, "Quxalorne", 6.0221409e23
PLANTED = {
    "a number": (b"731904.2", struct.pack("<d", NUMBER), struct.pack(">d", NUMBER), NUMBER.hex().encode()),
    "a whole number": (b"918273645", b"918_273_645", b"918,273,645", struct.pack("<q", AGE), f"{AGE:x}".encode()),
    "a word": (TEXT.encode(), TEXT.lower().encode(), TEXT.encode("utf-16-le"), TEXT.encode().hex().encode()),
    "a number that is too large": (b"6.0221", b"6022140", struct.pack("<d", HUGE)),
}


def held(data: bytes) -> set[str]:
    return {name for name, forms in PLANTED.items() if any(form in data for form in forms)}


@pytest.fixture
def marked(organisations, alice, tmp_path):
    """Bob's rows: a planted number, whole number and word in one of 400, and a column that cannot be shared."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"age": random.integers(0, 100, 400), "cost": np.round(random.gamma(2.0, 150.0, 400))})
    frame["who"] = [f"person {row}" for row in range(400)]
    frame["broken"] = 1.0
    frame.loc[17, ["age", "cost", "who", "broken"]] = AGE, NUMBER, TEXT, HUGE
    frame.to_parquet(tmp_path / "marked.parquet")
    catalogue = organisations["bob"][1].catalogue
    offer(catalogue, "marked", [str(tmp_path / "marked.parquet")], icm.Policy(min_rows=5), ("alice",))
    yield alice.peer("bob")["marked"]
    catalogue.remove("marked")


def test_forms_are_found():
    assert held(f"{NUMBER} {AGE} {TEXT} {HUGE}".encode()) == set(PLANTED)
    assert held(b"731903 91827364 Quxalor 6.02e20") == set()


def test_nothing_that_is_written_holds_values(organisations, marked, capfd, caplog):
    asked = {
        "dominated": lambda: marked["cost"].mean().reveal(),
        "too few rows": lambda: marked[marked["age"] > 1_000_000]["cost"].sum().reveal(),
        "too large": lambda: marked["broken"].sum().reveal(),
        "a word for a number": lambda: marked["who"].sum().reveal(),
        "an extreme": lambda: marked["cost"].max().reveal(),
        "by words": lambda: marked.groupby("who")["cost"].sum().reveal(),
        "requested": lambda: marked[marked["age"] < 50]["cost"].std().request(reason="how much it varies"),
        "answered again": lambda: marked["age"].count().reveal(),
    }
    said, failed = {}, {}
    with caplog.at_level(logging.DEBUG):
        for name, ask in asked.items():
            try:
                said[name] = ask()
            except icm.IcmError as error:
                failed[name] = f"{error!r} {error} {error.__cause__!r}"
    assert said["answered again"] == 400
    assert set(failed) == {"a word for a number", "an extreme"}
    assert all("withheld" in repr(said[name]) for name in ("dominated", "too few rows", "too large"))
    assert held(f"{said} {failed}".encode()) == set()
    assert held("".join(capfd.readouterr()).encode()) == set()
    assert held(caplog.text.encode()) == set()
    looked = 0
    for folder, _ in organisations.values():
        for path in folder.rglob("*"):
            if path.is_file():
                looked += 1
                assert held(path.read_bytes()) == set(), path
    assert looked > 20
