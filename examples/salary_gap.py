"""Three companies' pay gap: none shows its payroll, and nobody sees a group of fewer than ten people."""

import numpy as np
import pandas as pd

import analytics as an
import icm_ray as icm

ROLES = ["engineer", "manager", "sales"]
COMPANIES = {"amber": 180, "birch": 140, "cedar": 90}


def payroll(people: int, seed: int) -> pd.DataFrame:
    """What one company knows of its people; some have not told their pay."""
    rng = np.random.default_rng(seed)
    role = rng.choice(ROLES, people, p=[0.6, 0.1, 0.3])
    woman = rng.random(people) < 0.45
    base = pd.Series(role).map({"engineer": 62_000, "manager": 85_000, "sales": 51_000})
    pay = (base * np.where(woman, 0.94, 1.0) * rng.lognormal(0.0, 0.12, people)).round(2)
    return pd.DataFrame({"role": role, "woman": woman, "pay": pay.where(rng.random(people) > 0.06), "hours": 40})


payrolls = {company: payroll(people, seed) for seed, (company, people) in enumerate(COMPANIES.items())}
pooled = pd.concat(payrolls.values())  # what nobody has: here to compare with

with icm.Session(parties=tuple(COMPANIES)) as session:
    staff = an.from_pandas(session, payrolls, policy=icm.Policy(min_rows=10))

    by_woman = staff.groupby("woman")["pay"].agg(["count", "mean", "std"])
    print(by_woman.explain())
    table = by_woman.reveal()
    print(table)
    gap = 1 - table.loc[True, "mean"] / table.loc[False, "mean"]
    print(f"women earn {gap:.1%} less")

    by_role = staff.groupby(["role", "woman"], domain={"role": ROLES})
    print(by_role.agg(people=("pay", "count"), pay=("pay", "mean")).reveal())

    few = staff[(staff["role"] == "manager") & (staff["pay"] > 110_000)]
    print("managers above 110,000:", few["pay"].mean().reveal())

    hourly = staff["pay"] / (52 * staff["hours"])
    print(f"pay of an hour: {hourly.mean().reveal(to='cedar'):.2f}")

means = pooled.groupby("woman")["pay"].mean()
assert np.allclose(table["mean"], means)
assert table["count"].tolist() == pooled.groupby("woman")["pay"].count().tolist()
