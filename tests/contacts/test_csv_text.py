"""CSV read from windows of bytes, compared with Python's own reader of the whole text."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contacts.csv_text import DELIMITERS, WINDOW, guess_delimiter, next_record, read_cell, written

CELLS = st.text(alphabet=st.sampled_from("ab,;\t\"\n'=+é€"), max_size=8)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=8)


def read(data: bytes, delimiter: str, window: int) -> list[list[str]]:
    """Read all records as the job does: each window begins where the last whole record ended."""
    found, place = [], 0
    while place < len(data):
        part = data[place : place + window]
        start = 0
        while record := next_record(part, start, delimiter, is_last=place + window >= len(data)):
            assert record.error is None
            assert record.lines == part[start : start + record.size].count(b"\n") or place + start + record.size == len(
                data
            )
            found.append(list(record.cells))
            start += record.size
        assert start, "never on"
        place += start
    return found


@given(ROWS, st.sampled_from(DELIMITERS), st.integers(100, 400))
def test_records_are_those_of_the_whole_text_wherever_the_windows_end(rows, delimiter, window):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    assert read(text.getvalue().encode(), delimiter, window) == rows


@given(st.text(max_size=20))
def test_a_cell_is_no_formula_and_is_read_as_it_was(text):
    (cell,) = next(csv.reader(io.StringIO(written([[text]]), newline="")), [""])
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert read_cell(cell) == text


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [("a,b;c,d", ","), ("a;b;c,d", ";"), ("a\tb,c\td", "\t"), ("a", ","), ('"x;y;z",b', ","), ("", ",")],
)
def test_the_delimiter_is_the_one_that_makes_most_of_the_first_line(line, delimiter):
    assert guess_delimiter(line.encode(), 0, is_last=True) == delimiter


@given(st.binary(max_size=200), st.sampled_from(DELIMITERS))
def test_any_bytes_come_to_an_end(data, delimiter):
    place = 0
    while place < len(data):
        record = next_record(data, place, delimiter, is_last=True)
        assert record is not None
        assert record.size > 0
        place += record.size


def test_a_quote_that_is_open_at_the_end_spoils_the_last_line():
    record = next_record(b'a,b\nc,"d', 4, ",", is_last=True)
    assert record is not None
    assert (record.error, record.size) == ("unclosed_quote", 4)


def test_a_record_longer_than_a_window_is_one_line_that_cannot_be_read():
    data = b'a,"' + b"x\n" * WINDOW
    record = next_record(data[:WINDOW], 0, ",", is_last=False)
    assert record is not None
    assert (record.error, record.size, record.lines) == ("unclosed_quote", 5, 1)
