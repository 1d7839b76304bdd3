"""Two hospitals' joint statistics: owner-held first, then on shares."""

import numpy as np
import pandas as pd

import analytics as an
import icm_ray as icm

rng = np.random.default_rng(1)
north = pd.DataFrame({"age": rng.integers(18, 95, 400), "cost": rng.gamma(2, 150, 400)})
south = pd.DataFrame({"age": rng.integers(18, 95, 300), "cost": rng.gamma(2, 170, 300)})
pooled = pd.concat([north, south])

with icm.Session(parties=("alice", "bob")) as session:
    visits = an.from_pandas(session, {"alice": north, "bob": south})

    query = visits["cost"].std()
    print(query.explain())
    print("std of cost:", query.reveal(), "pandas:", pooled["cost"].std())

    mean, oldest = icm.reveal(visits["age"].mean(), visits["age"].max())
    print("mean age:", mean, "oldest:", oldest)
    assert oldest == pooled["age"].max()

    counts, edges = visits["age"].histogram(bins=8, range=(16, 96)).reveal(to="bob")
    assert np.array_equal(counts, np.histogram(pooled["age"], 8, (16, 96))[0])
    for count, low in zip(counts, edges, strict=False):
        print(f"{low:5.0f}+ {'#' * (int(count) // 4)} {count}")

    shared = visits.share()
    print("on shares:", shared["age"].var().reveal(), "pandas:", pooled["age"].var())
