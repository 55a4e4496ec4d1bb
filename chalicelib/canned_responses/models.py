"""A canned response, inside and on the wire."""

from dataclasses import field
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from chalicelib.canned_responses.template import VARIABLES, Rendered, names_in, problem_with
from chalicelib.core.errors import ConflictError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import PageQuery, Request, Response
from chalicelib.core.http.schema import OMITTED, Timestamp

# A tenant's are read whole, in one query, which ends at 1 MB: hence both limits. What a row needs besides its texts is
# less than 400 bytes.
MAX_RESPONSES = 500
MAX_BYTES = 800_000
MAX_CONTENT = 10_000
MAX_VALUE = 254  # an e-mail address fits


class CannedResponseNotFoundError(NotFoundError):
    """No such canned response in this tenant; the answer is that of any missing object."""


class ShortcutTakenError(ConflictError):
    code = "shortcut_taken"
    default_message = "Another canned response has this shortcut. Upper and lower case make no difference."


class TooManyCannedResponsesError(ConflictError):
    code = "too_many_canned_responses"
    default_message = (
        f"A tenant has at most {MAX_RESPONSES} canned responses, with {MAX_BYTES // 1000} KB of text in all. "
        "Delete or shorten one that is no longer used."
    )


@frozen
class CannedResponse:
    """A text to answer with. `tenant_id` is the tenant's space in the table, so that of its test data for test keys."""

    tenant_id: str
    id: str
    shortcut: str  # in lower case, with its slash
    content: str
    created_by: dict[str, str]  # who made it, as events name actors
    created_at: int  # milliseconds
    updated_at: int
    title: str | None = None
    language: str | None = None
    tags: list[str] = field(default_factory=list)
    usage_count: int = 0
    version: int = 1  # of what people wrote; being used is no change

    @property
    def variables(self) -> list[str]:
        """The names of the variables that the text uses."""
        return names_in(self.content)

    @property
    def size(self) -> int:
        """The bytes that count towards MAX_BYTES."""
        texts = (self.shortcut, self.content, self.title or "", self.language or "", *self.tags)
        return sum(len(text.encode()) for text in texts)


def _with_slash(text: str) -> str:
    return "/" + text.removeprefix("/").lower()


def _checked(content: str) -> str:
    if problem := problem_with(content):
        code, message = problem
        raise PydanticCustomError(code, "{message}", {"message": message})
    return content


def _distinct(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Shortcut = Annotated[
    str,
    StringConstraints(pattern=r"^/?[A-Za-z0-9_-]{1,40}$"),
    AfterValidator(_with_slash),
    Field(
        description="What an agent types to get the text. It is kept in lower case and with its slash, and no two "
        "canned responses have the same.",
        examples=["/hello"],
    ),
]
Content = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_CONTENT),
    AfterValidator(_checked),
    Field(
        description="Plain text. A variable, `{{visitor.name}}`, is filled in when the text is rendered; with a "
        "default, `{{visitor.name|there}}`, also where the value is not known. There are "
        f"{', '.join(f'`{name}`' for name in VARIABLES)}.",
        examples=["Hi {{visitor.name|there}}, thanks for asking! {{agent.name}}"],
    ),
]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200), Field(examples=["Greeting"])]
Language = Annotated[
    str,
    StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"),
    Field(description="A language tag such as `en` or `pt-BR`.", examples=["en"]),
]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=50, to_lower=True), Field(examples=["greeting"])]
Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(_distinct)]


class ListCannedResponses(PageQuery):
    """Which canned responses."""

    search: str | None = Field(
        default=None,
        max_length=100,
        description="Words: each must begin the shortcut, or a word of the title or the content. Case and accents make "
        "no difference. With a leading slash, only shortcuts are searched.",
        examples=["/hel"],
    )
    tag: Tag | None = None
    language: Language | None = None


class CreateCannedResponse(Request):
    """A new text to answer with."""

    shortcut: Shortcut
    content: Content
    title: Title | None = None
    language: Language | None = None
    tags: Tags = OMITTED


class UpdateCannedResponse(Request):
    """What changes; absent fields stay."""

    shortcut: Shortcut = OMITTED
    content: Content = OMITTED
    title: Title | None = None
    language: Language | None = None
    tags: Tags = Field(default=OMITTED, description="Replaces all tags.")


Value = Annotated[str, StringConstraints(max_length=MAX_VALUE)]


class Values(Request):
    """Values of variables by name. A blank one counts as not known."""

    visitor_name: Value | None = Field(default=None, alias="visitor.name", examples=["Ana"])
    visitor_email: Value | None = Field(default=None, alias="visitor.email", examples=["ana@example.com"])
    agent_name: Value | None = Field(default=None, alias="agent.name", examples=["Kim"])
    conversation_number: int | None = Field(default=None, ge=1, alias="conversation.number", examples=[1042])
    tenant_name: Value | None = Field(default=None, alias="tenant.name", examples=["Acme"])

    @model_validator(mode="before")
    @classmethod
    def _refuse_field_names(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic's own signature
        """Make pydantic see a Python value: straight from JSON it lets `visitor_name` pass beside its alias."""
        return value


class RenderCannedResponse(Request):
    """What to fill in."""

    variables: Values = Field(
        default_factory=Values,
        description="Values that go before what is known otherwise.",
        examples=[{"visitor.name": "Ana"}],
    )

    def values(self) -> dict[str, str]:
        """Return the given values as text, by name."""
        given = self.variables.model_dump(by_alias=True, exclude_none=True)
        return {name: str(value) for name, value in given.items()}


class CannedResponseOut(Response):
    """A canned response."""

    id: str = Field(examples=["can_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    shortcut: str = Field(examples=["/hello"])
    content: str = Field(examples=["Hi {{visitor.name|there}}, thanks for asking! {{agent.name}}"])
    title: str | None = Field(examples=["Greeting"])
    language: str | None = Field(examples=["en"])
    tags: list[str] = Field(examples=[["greeting"]])
    variables: list[str] = Field(description="The variables that the content uses.", examples=[["visitor.name"]])
    usage_count: int = Field(description="How often it was rendered. The ETag does not tell of it.")
    created_by: dict[str, str]
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, response: CannedResponse) -> "CannedResponseOut":
        """Show a canned response."""
        return cls.model_validate({name: getattr(response, name) for name in cls.model_fields})


class RenderedOut(Response):
    """A canned response with its variables filled in."""

    content: str = Field(examples=["Hi Ana, thanks for asking! Kim"])
    missing: list[str] = Field(
        description="Variables that had neither a value nor a default: nothing stands in their place.", examples=[[]]
    )

    @classmethod
    def of(cls, rendered: Rendered) -> "RenderedOut":
        """Show a rendered text."""
        return cls(content=rendered.content, missing=rendered.missing)
