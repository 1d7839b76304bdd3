"""What other systems for private tables have published of their speed: for orientation, on other and larger machines.

Each figure stands in the source that is named beside it, as it is given there; nothing of this was measured here.
"""

from tables import table

MACHINE = "a machine with an AMD EPYC 9655P (96 cores) for each party, 16 threads, 0.17 to 0.25 ms there and back"
ARTIFACT = "https://github.com/CASP-Systems-BU/CryptDough/tree/main/sosp-replication"
ORQ_ARTIFACT = "https://github.com/CASP-Systems-BU/orq/tree/main/scripts/sosp25"

# Seconds in a LAN: ORQ's and CryptDough's of two parties, the same of three. data/results/ORQ.csv of CryptDough's
# artifact; what is asked and of how many rows: experiments/figure-6 and bench/queries/other there.
QUERIES = {
    "Aspirin: 3 and 2 million rows filtered, grouped and joined": (106.6, 91.9, 100, 49.8),
    "C. Diff: 3 million rows sorted, each compared with the next": (45.4, 58.2, 36.7, 31.1),
    "Password: groups of 5 million rows that have several": (79.9, 63.5, 76, 41),
    "Credit: least and largest value of groups of 5 million rows": (74.3, 48.5, 75.5, 26.3),
    "Comorbidity: 5 million rows of half a million keys, grouped and sorted": (136.5, 110.8, 127.9, 73),
    "Market share: sums of groups of 5 million rows, squared": (52.9, 36.8, 52.3, 23.6),
}
# Seconds of one sort by three parties, by threads: data/results/SORTING_SCALABILITY.csv, experiments/figure-8.
SORTS = {1: 1482.91, 2: 886.877, 4: 491.159, 8: 369.395, 16: 283.692, 32: 278.497}

TEXT = f"""
## Published figures of others

For orientation: other machines, other protocols, larger tables. These are the authors' own figures, of their
artifacts; nothing of this was measured here. ORQ (SOSP 2025) and CryptDough (SOSP 2026) are engines in C++ that query
shared tables, semi-honest here; three parties have an honest majority, and two take triples that are zeros and cost no
time, so that theirs is the online phase alone.

Seconds of a query in a LAN, {MACHINE}:

{{queries}}
CryptDough's three parties sort 2^26 integers of 64 bits there (quicksort), by threads of each party:

{{sorts}}
Source of both: `data/results/ORQ.csv` and `SORTING_SCALABILITY.csv` of [CryptDough's artifact]({ARTIFACT}), whose
authors ran both systems.

ORQ's authors expect 31 queries, all of TPC-H at scale 1 among them, to take two parties 3.5 hours in a LAN, three
parties 3 hours, and four, one of which may be malicious, 6.5 hours, each on an AWS c7a.16xlarge with 16 threads. There
three parties took 37.5 s for TPC-H's query 13 at scale 0.1 (15,000 customers with 150,000 orders), 12.5 s of it for the
join. Source: [ORQ's artifact]({ORQ_ARTIFACT}).
"""


def section():
    """The part of docs/performance.md."""
    head = ("query", "ORQ, 2 parties", "CryptDough, 2 parties", "ORQ, 3 parties", "CryptDough, 3 parties")
    queries = table(head, ((what, *map(str, seconds)) for what, seconds in QUERIES.items()))
    sorts = table(("threads", *map(str, SORTS)), [("seconds", *(f"{seconds:.0f}" for seconds in SORTS.values()))])
    return TEXT.format(queries=queries, sorts=sorts)
