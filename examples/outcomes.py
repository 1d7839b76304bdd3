"""Outcomes of three hospitals: dates, missing values, and small cells that nobody sees."""

import numpy as np
import pandas as pd

import analytics as an
import icm_ray as icm

WARDS = ["cardiology", "oncology", "surgery"]


def stays(patients: int, seed: int) -> pd.DataFrame:
    """What one hospital knows of its patients; some are still there."""
    rng = np.random.default_rng(seed)
    admitted = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, patients), unit="D")
    days = pd.to_timedelta(rng.geometric(0.15, patients), unit="D")
    discharged = pd.Series(admitted + days).where(rng.random(patients) > 0.15)
    ward = rng.choice([*WARDS, None], patients, p=[0.5, 0.2, 0.27, 0.03])
    return pd.DataFrame(
        {
            "age": rng.integers(18, 95, patients),
            "ward": ward,
            "admitted": admitted,
            "discharged": discharged,
            "readmitted": rng.random(patients) < 0.12,
        }
    )


parts = {"north": stays(300, 1), "south": stays(220, 2), "east": stays(80, 3)}
pooled = pd.concat(parts.values())  # what nobody has: here to compare with

with icm.Session(parties=tuple(parts)) as session:
    hospital = an.from_pandas(session, parts, policy=icm.Policy(min_rows=10))
    hospital = hospital.assign(stay=(hospital["discharged"] - hospital["admitted"]).dt.total_seconds() / 86_400)

    known, mean = icm.reveal(hospital["stay"].count(), hospital["stay"].mean())
    print(f"{known} known outcomes, {mean:.1f} days each")
    table = hospital.groupby("ward", domain={"ward": WARDS}).agg(
        patients=("age", "count"), stay=("stay", "mean"), readmitted=("readmitted", "mean")
    )
    print(table.reveal())

    old = hospital[(hospital["age"] >= 65) & (hospital["admitted"] >= "2024-07-01")]
    print("readmitted of the old, second half-year:", old["readmitted"].mean().reveal())

    very_old = hospital[hospital["age"] >= 94]
    print("of those of 94 and more:", very_old["readmitted"].mean().reveal())
    by_month = hospital.groupby(hospital["admitted"].dt.month).size().reveal()
    print(by_month)

stay = (pooled["discharged"] - pooled["admitted"]).dt.days
assert known == stay.count()
assert np.isclose(mean, stay.mean())
assert by_month.sum() == len(pooled)
