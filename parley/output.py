"""What a command prints: tables and words for people, or with `--json` one JSON document; all else goes to stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from parley.errors import CommandError, Exit

Row = Mapping[str, Any]
_PIPED_WIDTH = 1000  # a program reads it: nothing is cut
NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """A column of a table: what stands above it, and a row's cell. With a `width` it is never cut nor wrapped."""

    title: str
    cell: Callable[[Any], object]
    right: bool = False
    width: int = 0  # at least so many signs, so that tables below each other agree
    room: int = 0  # shown only on a terminal that is so wide, and to programs


class Output:
    """Where a command's words go. Without a terminal there is no colour, and no line is cut."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
        self._err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPED_WIDTH)

    def rows(
        self, rows: Sequence[Row], columns: Sequence[Column], *, none: str, header: bool = True, **more: object
    ) -> None:
        """Print a list: a table, or `{"data": [...]}` with `more` beside it."""
        if self.as_json:
            self.document({"data": list(rows), **more})
            return
        if not rows:
            self.say(none)
            return
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_header=header)
        columns = [column for column in columns if column.room <= self._out.width]
        for column in columns:
            table.add_column(
                column.title.upper(),
                justify="right" if column.right else "left",
                min_width=column.width or None,
                no_wrap=bool(column.width) or column.right,
                overflow="fold",
            )
        for row in rows:
            table.add_row(*(_cell(column.cell(row)) for column in columns))
        self._show(table)

    def record(self, record: Row, names: Mapping[str, str] | None = None) -> None:
        """Print one thing: a line for each field, or a JSON object. `names` chooses fields and what they are called."""
        if self.as_json:
            self.document(record)
            return
        shown = names or {name: name for name in record}
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, title in shown.items():
            table.add_row(title, _cell(record[name]))
        self._show(table)

    def _show(self, table: Table) -> None:
        """Print a table, without the blanks that fill its last column up."""
        with self._out.capture() as printed:
            self._out.print(table)
        sys.stdout.write("\n".join(line.rstrip(" ") for line in printed.get().splitlines()) + "\n")
        sys.stdout.flush()

    def done(self, text: str, **fields: object) -> None:
        """Say what was done; with `--json`, its fields."""
        if self.as_json:
            self.document(fields)
        else:
            self.say(text)

    def document(self, document: object) -> None:
        """Print JSON, on one line."""
        sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()

    def indented(self, document: object) -> None:
        """Print free JSON for people to read."""
        self._out.print(json.dumps(document, ensure_ascii=False, indent=2), markup=False, soft_wrap=True)

    def say(self, text: str | Text) -> None:
        """Print a line for people; nothing with `--json`."""
        if not self.as_json:
            self._out.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Say what is not the result: on stderr."""
        self._err.print(text, markup=False, soft_wrap=True)

    def error(self, error: CommandError) -> None:
        """Say why it ended."""
        if self.as_json:
            document = {"error": {"exit_code": int(error.exit_code), "message": str(error)}}
            sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")
        else:
            self._err.print(Text.assemble(("Error: ", "bold red"), str(error)), soft_wrap=True)

    def progress(self, what: str, total: int | None = None) -> Progress:
        """Return a bar for stderr, with its one task begun; it shows itself on a terminal only."""
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._err,
            transient=True,
            disable=not self._err.is_terminal,
        )
        bar.add_task(what, total=total)
        return bar

    def ask(self, question: str, *, yes: bool) -> None:
        """Go on only when that is wanted. Raises CommandError."""
        if yes:
            return
        if not _can_be_asked():
            raise CommandError(f"{question} Nobody can be asked here: say --yes.", Exit.USAGE)
        if not typer.confirm(question, err=True):
            raise CommandError("Nothing was changed.")


def _can_be_asked() -> bool:
    return sys.stdin.isatty()


def joined(values: Iterable[object]) -> str:
    """Return a list for a table's cell."""
    return ", ".join(map(str, values)) or NOTHING


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text(NOTHING, "dim") if value is None or value == "" else Text(str(value))
