"""Which query parameters may be given more than once: those whose field is a list, whatever the type is called."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from chalicelib.core.errors import InvalidError
from chalicelib.core.http import Call, Request


class Search(Request):
    tag: list[str] = Field(default_factory=list)
    status: Annotated[list[Literal["open", "closed"]] | None, Field(max_length=3)] = None
    view: Literal["list", "board"] | None = None


def read(**values: list[str]) -> Search:
    return Call({"multiValueQueryStringParameters": values}).query(Search)


def test_a_list_may_be_repeated_or_given_once():
    assert read(tag=["a", "b"], status=["open", "closed"]) == Search(tag=["a", "b"], status=["open", "closed"])
    assert read(tag=["a"]).tag == ["a"]


def test_a_value_that_is_called_list_is_no_list():
    assert read(view=["list"]).view == "list"
    with pytest.raises(InvalidError) as refused:
        read(view=["list", "board"])
    assert refused.value.param == "view"
