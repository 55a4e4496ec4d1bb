"""How a function becomes a command: the options that all have, one line for an error, and the exit code."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from parley.api import Api, read_key
from parley.errors import CommandError, Exit, explained
from parley.output import Output
from parley.place import Place, chosen

_WHERE = "Where"
_HOW = "How"
_PLACE: dict[str, Any] = {
    "region": (
        Annotated[str | None, typer.Option(help="A region, as in infra/regions/: eu1.", rich_help_panel=_WHERE)], None
    ),
    "stage": (Annotated[str, typer.Option(help="A stage of that region.", rich_help_panel=_WHERE)], "prod"),
    "local": (
        Annotated[bool, typer.Option("--local", help="The local stack of PARLEY_DATA.", rich_help_panel=_WHERE)], False
    ),
    "as_json": (
        Annotated[bool, typer.Option("--json", help="Print JSON for programs.", rich_help_panel=_HOW)], False
    ),
}  # fmt: skip
_KEY = Annotated[
    Path | None,
    typer.Option(
        help="A file with the tenant's API key; without it, PARLEY_API_KEY in the environment.",
        rich_help_panel=_WHERE,
    ),
]
_YES = Annotated[bool, typer.Option("--yes", help="Don't ask.", rich_help_panel=_HOW)]


@dataclass(frozen=True)
class Session:
    """What a command works with: where, what it prints with, and whether it may go on unasked."""

    place: Place
    out: Output
    yes: bool = False
    key_file: Path | None = None

    def enter(self) -> None:
        """Work with the installation's table and queues through its own services from here on."""
        self.place.enter()

    def ask(self, question: str) -> None:
        """Say what will be done, and end the command unless it is wanted."""
        self.out.ask(question, yes=self.yes)

    def api(self) -> Api:
        """Return the HTTP API with the operator's key."""
        return Api(self.place.api_url, read_key(self.key_file, self.place.demo))


def command(
    group: typer.Typer, name: str, *, asks: bool = False, by_key: bool = False, panel: str | None = None
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a function, which takes a Session first and may return an exit code, with the options that all have.

    `asks`: it changes something, and has `--yes`. `by_key`: it works through the HTTP API, and has `--key-file`.
    """

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        _session, *own = inspect.signature(function).parameters.values()
        shared = dict(_PLACE)
        if by_key:
            shared["key_file"] = (_KEY, None)
        if asks:
            shared["yes"] = (_YES, False)

        def run(**given: Any) -> None:  # noqa: ANN401 - what Typer has parsed
            of_all = {key: given.pop(key) for key in shared}
            raise typer.Exit(_run(function, of_all, given))

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [each.replace(kind=keyword) for each in own]
        parameters += [
            inspect.Parameter(key, keyword, default=default, annotation=annotation)
            for key, (annotation, default) in shared.items()
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__doc__, run.__name__ = function.__doc__, function.__name__
        group.command(name, rich_help_panel=panel)(run)
        return function

    return register


def _run(function: Callable[..., int | None], of_all: dict[str, Any], given: dict[str, Any]) -> int:
    """Call a command and return its exit code; an error becomes a line on stderr."""
    out = Output(as_json=of_all["as_json"])
    try:
        place = chosen(of_all["region"], of_all["stage"], local=of_all["local"])
        session = Session(place, out, of_all.get("yes", False), of_all.get("key_file"))
        return function(session, **given) or Exit.DONE
    except BrokenPipeError:
        raise  # whoever read has enough: Typer ends quietly
    except KeyboardInterrupt:
        out.note("Stopped.")
        return Exit.STOPPED
    except typer.Abort:  # Ctrl-C or the end of input at a question
        out.error(CommandError("Nothing was changed."))
        return Exit.NO
    except Exception as exc:
        if os.environ.get("PARLEY_DEBUG"):
            raise
        error = explained(exc)
        out.error(error)
        return error.exit_code
