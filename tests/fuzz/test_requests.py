"""Requests made up from the OpenAPI document, each sent by eight principals through the gateway: nothing breaks.

No answer is a 5xx, and none is one that the document does not declare. The examples follow from a seed that a failure
shows. `PARLEY_FUZZ` is how many requests there are about, a few per cent more or fewer.
"""

import os
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.budgets.requests import REQUESTS
from tests.matrix.requests import Recipe, values_in
from tests.support.gateway import Door
from tests.support.openapi import declared, document

PRINCIPALS = ("anonymous", "owner", "agent", "viewer", "read key", "write key", "test key", "visitor")
WANTED = int(os.environ.get("PARLEY_FUZZ", "5600"))
SEED = int(os.environ.get("PARLEY_FUZZ_SEED", "1"))
EACH = -(-WANTED // (len(REQUESTS) * len(PRINCIPALS)))  # rounded up; making one up takes longer than sending eight
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
_SCHEMA: Any = schemathesis.openapi.from_dict(document())
_FOUND = [found.ok() for found in _SCHEMA.get_all_operations()]
OPERATIONS = {f"{each.method.upper()} {each.path}": each for each in _FOUND}


def test_every_route_is_made_up_requests_for():
    assert set(OPERATIONS) == set(REQUESTS)


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_nothing_that_is_asked_breaks_anything(services, gateway, playing, record_property, name):
    operation = OPERATIONS[name]
    ours = values_in(name, Recipe(name, playing.tenant, services).fresh().path)
    sent = 0

    @seed(SEED)
    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(st.data())
    def by_everybody(data: st.DataObject) -> None:
        nonlocal sent
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if data.draw(st.integers(0, 3)):  # what nobody has is a 404 and hides what comes behind it
            case.path_parameters.update(ours)
        first = data.draw(st.integers(0, len(PRINCIPALS) - 1))  # who finds things as they were
        for principal in PRINCIPALS[first:] + PRINCIPALS[:first]:
            client = playing.everybody[principal].client
            headers = {"Host": "api.test", "Authorization": f"Bearer {client.token}"} if client.token else {}
            _send(gateway, case, {**headers, **client.headers})
            sent += 1

    by_everybody()
    record_property("requests", sent)
    assert sent >= len(PRINCIPALS)


def _send(gateway: Door, case: Any, headers: dict[str, str]) -> None:
    asked = case.as_transport_kwargs(base_url="http://api.test", headers=headers)
    kwargs = {
        name: asked[name]
        for name in ("method", "url", "headers", "params", "data", "json", "cookies", "files")
        if name in asked
    }
    request = requests.Request(**kwargs).prepare()
    body: Any = request.body or b""
    answer = gateway.send(
        request.method or "",
        request.url or "",
        {name: str(value) for name, value in request.headers.items()},
        body.encode() if isinstance(body, str) else body,
    )
    path = (request.url or "").removeprefix("http://api.test").partition("?")[0]
    declared(request.method or "", path, answer.status, answer.headers, answer.text)
    found = Response(
        answer.status,
        {name.lower(): [value] for name, value in answer.headers.items()},
        answer.text.encode(),
        request,
        0.0,
        verify=True,
    )
    case.validate_response(found, checks=CHECKS)
