"""Numbers and times as the report pages write them."""

from datetime import datetime

import pytest

from snakedev.reports.html import (
    day,
    duration,
    listed,
    rate,
    size,
    spread,
    times,
    when,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.00 kB"),
        (22_200_000, "22.2 MB"),
        (1_430_000_000, "1.43 GB"),
    ],
)
def test_sizes_are_in_the_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (750, "12 min 30 s"), (3840, "1 h 04 min")],
)
def test_durations_are_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_times_are_in_utc() -> None:
    assert when("2024-05-06T07:08:09+02:00") == "6 May 2024, 05:08 UTC"


def test_a_day_is_the_one_where_it_was_written() -> None:
    assert day(datetime.fromisoformat("2024-05-07T00:30:00+02:00")) == "7 May 2024"


def test_words_are_listed_as_in_a_sentence() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.50"), (12.34, "12.3"), (999, "999"), (1000, "1.00 k"), (2_345_678, "2.35 M")],
)
def test_rates_have_three_digits(value: float, text: str) -> None:
    assert rate(value) == text


def test_a_spread_is_the_median_with_the_ends() -> None:
    assert spread([3, 1, 2], "{:.1f}", after=" s") == "2.0 s (1.0 to 3.0)"
    assert spread([2], "{:.1f}", before="x") == "x2.0"
    assert times(1.6) == "\N{MULTIPLICATION SIGN}1.60"
