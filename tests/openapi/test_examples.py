"""The document's examples, sent to the app: whoever copies one gets a 2xx answer of the documented shape.

What an example can't know is put in: ids of things that are there, and what is secret or may be there once only. The
shape of each answer is checked by the client, see `tests/support/openapi.py`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chalicelib.core import ids
from tests.budgets.requests import REQUESTS
from tests.matrix.policy import UNCONFIRMED
from tests.matrix.requests import Recipe, Sent
from tests.support.chats import new_chat, new_site
from tests.support.contacts import new_company, new_contact
from tests.support.files import OWN_FILES, uploaded
from tests.support.openapi import Json, document
from tests.support.tags import new_team
from tests.support.tenants import Organisation

_ID = re.compile(r"([a-z]{2,5})_[0-9A-HJKMNP-TV-Z]{26}")
# Secrets, what proves something, and what one of has been made for the request.
SECRETS = {"token", "refresh_token", "visitor_token", "client_token", "identity_token", "password", "current_password"}
SECRETS |= {"code", "email", "id_token"}
ONCE = {"slug", "domain"}
JSON = "application/json"


DOCUMENT = document()


def operations() -> Iterator[tuple[str, Json]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def resolved(parameter: Json) -> Json:
    found: Json = DOCUMENT["components"]["parameters"].get(parameter.get("$ref", "").rpartition("/")[2], parameter)
    return found


def shown(schema: Json) -> list[Any]:
    """Return the values that a parameter's schema names."""
    return schema.get("examples") or schema.get("enum") or [schema[each] for each in ("default",) if each in schema]


OPERATIONS = dict(operations())
BODIES = {
    name: content[JSON]["example"]
    for name, operation in OPERATIONS.items()
    if JSON in (content := operation.get("requestBody", {}).get("content", {}))
}
QUERIES = [
    (name, parameter["name"], example)
    for name, operation in OPERATIONS.items()
    for parameter in map(resolved, operation.get("parameters", ()))
    if parameter["in"] == "query"
    for example in shown(parameter["schema"])
]


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


def lived(value: Any, made: Any, there_is: Callable[[str], str], name: str = "") -> Any:
    """Return an example with what is there in the place of what is not; `made` is a request known to be good."""
    if isinstance(value, dict):
        known = made if isinstance(made, dict) else {}
        return {each: lived(inner, known.get(each), there_is, each) for each, inner in value.items()}
    if isinstance(value, list):
        return [lived(each, made[0] if isinstance(made, list) and made else None, there_is, name) for each in value]
    if not isinstance(value, str):
        return value
    if made is not None and (name in SECRETS or _ID.fullmatch(str(made))):
        return made
    if name in ONCE:
        return f"{ids.new_ulid().lower()}-{value}"
    return _ID.sub(lambda found: there_is(found[1]), value)


def _there_is(tenant: Organisation, sent: Sent, prefix: str) -> str:
    owner, visitors = tenant.owner.client, sent.path.startswith("/widget/")
    makers = {
        "usr": lambda: tenant.owner.user_id,
        "con": lambda: new_contact(owner)["id"],
        "com": lambda: new_company(owner)["id"],
        "wgt": lambda: tenant.created["default_widget"]["id"],
        "fil": lambda: (uploaded(sent.asker, url=OWN_FILES) if visitors else uploaded(owner))["id"],
        "conv": lambda: new_chat(tenant).begin(),
        "vis": lambda: new_chat(tenant).visitor_id,
        "team": lambda: new_team(owner)["id"],
    }
    found: str = makers[prefix]()
    return found


def fresh(name: str, tenant: Organisation, services: Any) -> Sent:
    return Recipe(name, tenant, services).fresh()


def contacts_file(tenant: Organisation) -> Json:
    """Upload what the columns of the example are of."""
    owner = tenant.owner.client
    assert owner.post("/v1/custom-attributes", {"key": "plan", "label": "Plan", "type": "text"}).status == 201
    text = b"E-mail address,Plan\nana@example.com,pro\n"
    return {"file_id": uploaded(owner, text, "contacts.csv", "text/csv")["id"]}


MADE_FOR = {"POST /v1/contacts/import": contacts_file}


@pytest.mark.parametrize("name", BODIES)
def test_the_example_of_a_body_is_answered_as_documented(services, tenant, name):
    sent = fresh(name, tenant, services)
    made = MADE_FOR[name](tenant) if name in MADE_FOR else sent.body
    body = lived(BODIES[name], made, partial(_there_is, tenant, sent))
    answer = replace(sent, body=body).by(sent.asker)
    if name in UNCONFIRMED:  # the example's word is not this tenant's
        assert answer.params == {"confirm"}
    else:
        assert 200 <= answer.status < 300, f"{body}: {answer.text}"


@pytest.mark.parametrize(("name", "parameter", "example"), QUERIES)
def test_a_value_that_a_parameter_names_is_answered_as_documented(services, tenant, name, parameter, example):
    sent = fresh(name, tenant, services)
    answer = replace(sent, query=f"{parameter}={example}").by(sent.asker)
    assert 200 <= answer.status < 400, answer.text


def test_every_route_with_a_body_has_an_example():
    assert set(OPERATIONS) == set(REQUESTS)
    without = [
        name
        for name, operation in OPERATIONS.items()
        if JSON in operation.get("requestBody", {}).get("content", {}) and name not in BODIES
    ]
    assert without == []
    assert len(BODIES) >= 50
