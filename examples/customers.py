"""A bank and a shop: do customers with high savings spend more? Neither shows a customer, nor whom both know."""

import numpy as np
import pandas as pd

import analytics as an
import icm_ray as icm

rng = np.random.default_rng(5)
people = rng.permutation(5000)
accounts = pd.DataFrame({"customer": people[:3000], "savings": rng.gamma(2.0, 6_000, 3000).round(2)})
buyers = rng.choice(people[1500:4500], 2000)  # about half of them are the bank's, some buy often
orders = pd.DataFrame(
    {"customer": buyers, "spent": rng.gamma(1.5, 40, 2000).round(2), "parcels": rng.integers(1, 5, 2000)}
)

with icm.Session(parties=("bank", "shop")) as session:
    bank = an.from_pandas(session, {"bank": accounts})
    shop = an.from_pandas(session, {"shop": orders})

    bought = an.merge(shop, bank, on=["customer"], how="inner")  # each order with its customer's account
    orders_of_both = bought.count_rows()
    print(orders_of_both.explain())
    count, spent, parcels = icm.reveal(orders_of_both, bought["spent"].mean(), bought["parcels"].sum())
    print(f"{count} orders of customers of both, {spent:.2f} each, {parcels} parcels")
    print("savings behind an order:", bought["savings"].mean().reveal())

    everything = an.merge(shop, bank, on=["customer"], how="left")
    print(
        "orders in all:",
        everything.count_rows().reveal(),
        "with savings known:",
        everything["savings"].count().reveal(),
    )

pooled = orders.merge(accounts, on="customer")  # what nobody has: here to compare with
assert count == len(pooled)
assert parcels == pooled["parcels"].sum()
assert np.isclose(spent, pooled["spent"].mean())
