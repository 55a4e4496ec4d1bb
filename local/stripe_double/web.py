"""What a page gets and gives."""

from dataclasses import dataclass

Form = dict[str, str]


@dataclass(frozen=True)
class Page:
    """HTML."""

    html: str
    status: int = 200


@dataclass(frozen=True)
class Redirect:
    """Another address, to be read with GET."""

    url: str
