from hypothesis import given, settings

from tests.analytics.conftest import both, close, exactly, numbers


@given(numbers)
@settings(max_examples=10)
def test_is_within_the_stated_bound(engine, values):
    for column in both(engine, values):
        close(column.mean(), sum(exactly(values)) / len(values))


def test_opens_the_sum_and_nothing_else(fresh):
    for column in both(fresh, [1.0, 2.5, 4.0]):
        fresh.jobs.clear()
        assert column.mean().reveal() == 2.5
        assert fresh.revealed() == [("driver", "0: sum (mean of x)")]
