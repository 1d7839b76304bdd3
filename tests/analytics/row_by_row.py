"""What owners compute for each row of a frame, beside pandas."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from icm_ray.owner.columns import kind_of
from icm_ray.owner.expressions.evaluate import evaluate
from icm_ray.owner.expressions.kinds import as_agreed
from icm_ray.query.expressions.typing import resolved


def values(column, plain):
    """What owners compute for the rows of pandas' frame; its type and its missing values are those that were said."""
    facts = {info.name: info for info in column.meant.dataset.facts.columns}

    def read(name, kind):
        array = pa.array(plain[name], from_pandas=True)
        return as_agreed(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array, kind)

    info = column.meant.info(column.of)
    found = evaluate(resolved(column.of, facts.__getitem__), read, len(plain))
    assert kind_of(pa.field("", found.type)) in {info.kind, "null"}
    assert info.nullable or not found.null_count
    return found.to_pylist()


def listed(series):
    return [None if pd.isna(value) else value for value in series.tolist()]
