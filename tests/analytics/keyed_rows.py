"""Rows with keys of several kinds, and what is found of groups of these."""

import pandas as pd

_KINDS = {"x": "float64", "n": "int64", "big": "int64", "near": "int64", "word": "object", "ill": "bool"}


def table(rows, names=tuple(_KINDS)):
    """Rows of values of some of these columns."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pd.DataFrame(
        {name: pd.Series(column, dtype=_KINDS[name]) for name, column in zip(names, columns, strict=True)}
    )


def same(found, expected, atol=1e-12):
    pd.testing.assert_frame_equal(
        found, expected, check_dtype=False, check_index_type=False, check_names=True, rtol=1e-12, atol=atol
    )


def opened_words(engine, monkeypatch):
    """All words that are opened from now on, an array for each result."""
    opened, run = [], engine.execute

    def watched(jobs):
        results = run(jobs)
        opened.extend(words for result in results for words in result.results.values())
        return results

    monkeypatch.setattr(engine, "execute", watched)
    return opened
