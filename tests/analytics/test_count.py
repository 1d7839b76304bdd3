from hypothesis import given, settings

from tests.analytics.conftest import both, numbers


@given(numbers)
@settings(max_examples=10)
def test_is_the_number_of_rows(engine, values):
    for column in both(engine, values):
        count = column.count().reveal()
        assert type(count) is int
        assert count == len(values) == len(column)


def test_nothing_runs_for_what_is_public(fresh):
    held, shared = both(fresh, [1, 2, 3])
    fresh.jobs.clear()
    assert held.count().reveal() == shared.count().reveal("carol") == 3
    assert not fresh.jobs
