"""Makes docs/plots.svg: what results look like when they plot themselves. Needs matplotlib, the extra "plot".

usage: python docs/plots.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def draw(session):
    """Two hospitals' visits, asked four questions; the figure of their answers."""
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd

    import analytics as an
    import icm_ray as icm

    rng = np.random.default_rng(2)
    age = rng.normal(52, 17, 1200).clip(0, 95).round()
    cost = (80 + 4 * age + rng.gamma(2, 60, age.size)).round(2)
    table = pd.DataFrame({"age": age, "cost": cost, "ward": rng.choice([*"abc"], age.size), "ill": age + cost > 400})
    table.loc[::9, "cost"] = None
    visits = an.from_pandas(
        session, {"alice": table[:700], "bob": table[700:]}, policy=icm.Policy(min_rows=10, rows_per_bin=1)
    )
    ages, both, wards, means = icm.reveal(
        visits["age"].histogram(bins=20, range=(0, 100)),
        an.histogram2d(visits["age"], visits["cost"], bins=(10, 10), range=((0, 100), (0, 800))),
        an.crosstab(visits["ward"], visits["ill"], domain={"ward": [*"abc"]}),
        visits.groupby("ward", domain={"ward": [*"abc"]})["cost"].mean(),
    )
    figure, places = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    ages.plot(ax=places[0, 0], color="#0b7285")
    both.plot(ax=places[0, 1], cmap="Blues")
    wards.plot.bar(ax=places[1, 0], stacked=True, rot=0, color=["#5c677d", "#e07a1f"]).legend(
        title="ill", loc="lower right"
    )
    means.plot.barh(ax=places[1, 1], color="#0b7285", xlabel="mean cost")
    return figure


def main():
    sys.path.insert(0, str(ROOT))
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "icm-ray"  # the same file from the same code
    from icm_ray.runtime.carriers.threads import ThreadEngine

    with ThreadEngine(("alice", "bob")) as session:
        draw(session).savefig(ROOT / "docs" / "plots.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
