"""CSV (RFC 4180) read record by record from a window of bytes, and written so that no spreadsheet runs what it says."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from chalicelib.core.frozen import frozen

DELIMITERS = (",", ";", "\t")
BOM = b"\xef\xbb\xbf"
WINDOW = 64 * 1024  # bytes: the longest record that is read

# What spreadsheets take for a formula (https://owasp.org/www-community/attacks/CSV_Injection); an apostrophe before it
# makes it text. One more before what has some already, so that reading takes away exactly what writing has added.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


@frozen
class Record:
    """A record, or why there is none: `malformed`, `unclosed_quote`, `not_utf8`, `line_too_long`."""

    cells: Sequence[str]
    size: int  # bytes
    lines: int
    error: str | None = None


class _CutError(Exception):
    """The window ends within a record."""


class _Lines(Iterator[str]):
    """The lines of a window, and how far they were read."""

    def __init__(self, data: bytes, start: int, *, is_last: bool) -> None:
        self.data, self.place, self.is_last = data, start, is_last
        self.count, self.ended = 0, False

    def __next__(self) -> str:
        end = self.data.find(b"\n", self.place) + 1
        if not end and self.place < len(self.data) and self.is_last:
            end = len(self.data)
        if not end:
            self.ended = True
            raise StopIteration if self.is_last else _CutError
        line, self.place, self.count = self.data[self.place : end], end, self.count + 1
        return line.decode("utf-8", "surrogateescape")


def next_record(data: bytes, start: int, delimiter: str, *, is_last: bool) -> Record | None:
    """Return the record that begins at `start` of a window; None at its end, or where it cuts a record off.

    A quote that is not closed within the window spoils its own line only: the next record is looked for behind that.
    """
    lines = _Lines(data, start, is_last=is_last)
    try:
        cells = next(csv.reader(lines, delimiter=delimiter, strict=True))
    except StopIteration:
        return None
    except _CutError:
        if start or len(data) < WINDOW:
            return None  # the next window begins here
        return _spoiled_line(data, start, "unclosed_quote" if lines.count else "line_too_long")
    except csv.Error:
        if lines.ended:
            return _spoiled_line(data, start, "unclosed_quote")
        return Record((), lines.place - start, lines.count, "malformed")
    broken = any("\udc80" <= letter <= "\udcff" for cell in cells for letter in cell)
    return Record(cells, lines.place - start, lines.count, "not_utf8" if broken else None)


def _spoiled_line(data: bytes, start: int, error: str) -> Record:
    end = data.find(b"\n", start) + 1 or len(data)
    return Record((), end - start, 1, error)


def guess_delimiter(data: bytes, start: int, *, is_last: bool) -> str:
    """Return the delimiter that makes the most of the first record; a comma if none makes more."""

    def cells(delimiter: str) -> int:
        found = next_record(data, start, delimiter, is_last=is_last)
        return len(found.cells) if found else 0

    return max(DELIMITERS, key=cells)


def written(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV text; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def read_cell(text: str) -> str:
    """Return what a cell says: without the apostrophe that keeps a spreadsheet from running it."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _harmless(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if _FORMULA.match(text) else text
