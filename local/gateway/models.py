"""Pydantic's models, built before several threads use them.

The product builds each at its first use, which spares cold starts: a function of Lambda's has one request at a time.
Pydantic does it unguarded, and while one thread builds a model it passes for its parent in the others.
"""

from collections.abc import Iterator

from pydantic import BaseModel


def build_models() -> None:
    """Build all models that are imported and wait for their first use: a tenth of a second."""
    for model in _below(BaseModel):
        if model.__module__.startswith("chalicelib.") and not model.__pydantic_complete__:
            model.model_rebuild()


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)
