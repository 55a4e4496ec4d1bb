"""The document: valid, complete, and true to the routes."""

import json
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from chalicelib.core.errors import ApiError, ConflictError
from chalicelib.core.http import Api, Call, Request, Response, Role, Route
from chalicelib.core.http.openapi import openapi
from chalicelib.health.samples import SAMPLES
from infra.gateway_responses import GATEWAY_RESPONSES
from tests.support.openapi import Json, document, schema_errors


def routes() -> list[Route]:
    from app import APIS

    return [route for api in APIS for route in api.routes]


def operations(found: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in found["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def make(api: Api) -> Json:
    return openapi(api.routes, "https://api.test", version="1", description="", samples=SAMPLES)


def test_the_document_is_valid_openapi_3_1() -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_every_route_is_in_it_under_an_operation_id_of_its_own() -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations(document()))
    assert ids == Counter(dict.fromkeys((route.view.__name__ for route in routes()), 1))


def test_every_scope_names_a_resource_and_read_or_write() -> None:
    scopes = {route.scope for route in routes() if route.scope}
    assert {scope for scope in scopes if not re.fullmatch(r"[a-z_-]+:(read|write)", scope)} == set()


def test_every_list_is_paged() -> None:
    lists = [r for r in routes() if r.view.__name__.startswith("list_") and "/v1/" in r.path]
    assert [route.path for route in lists if not route.paged] == []
    for route in lists:
        answer = document()["paths"][route.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        page = document()["components"]["schemas"][answer["$ref"].rpartition("/")[2]]
        assert set(page["properties"]) == {"data", "pagination"}


def test_no_answer_in_json_is_said_to_be_text() -> None:
    wrong = [
        (operation["operationId"], kind)
        for _, _, operation in operations(document())
        for answer in operation["responses"].values()
        for kind, content in answer.get("content", {}).items()
        if kind.endswith("json") and content["schema"].get("type") == "string"
    ]
    assert wrong == []


def test_no_two_models_share_a_name() -> None:
    assert [name for name in document()["components"]["schemas"] if "__" in name or "-" in name] == []


def test_every_operation_says_what_it_does() -> None:
    unsaid = [op["operationId"] for _, _, op in operations(document()) if len(op["summary"].split()) < 2]
    assert unsaid == []


def test_every_reference_leads_somewhere() -> None:
    found = document()
    for ref in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(found))):
        here = found
        for part in ref.split("/"):
            here = here[part]


def test_every_example_fits_its_schema() -> None:
    """A pattern no sample fits needs an example beside it: Field(examples=[…])."""
    found = document()
    unfit = {}
    for _, _, operation in operations(found):
        for where, part in {"request": operation.get("requestBody", {}), **operation["responses"]}.items():
            for each in part.get("content", {}).values():
                if "example" in each and (errors := schema_errors(found, each["schema"], each["example"])):
                    unfit[operation["operationId"], where] = errors
    assert unfit == {}


def test_an_example_request_is_one_the_route_takes() -> None:
    refused = []
    for route in routes():
        if route.body is not None:
            body = document()["paths"][route.path][route.method.lower()]["requestBody"]
            try:
                route.body.model_validate(body["content"]["application/json"]["example"])
            except ValueError as error:
                refused.append(f"{route.method} {route.path}: {error}")
    assert refused == []


def test_error_examples_fit_the_envelope() -> None:
    found = document()
    for example in found["components"]["examples"].values():
        assert schema_errors(found, {"$ref": "#/components/schemas/Error"}, example["value"]) == []


def test_every_code_that_api_gateway_answers_is_explained() -> None:
    explained = {(error["status"], error["code"]) for error in document()["x-errors"]}
    assert {(each.status, each.code) for each in GATEWAY_RESPONSES.values()} - explained == set()


def test_a_code_has_one_status() -> None:
    """Two classes may share a code, but a caller who decides by it must not meet two meanings."""
    found: dict[str, set[int]] = {}
    waiting: list[type[ApiError]] = [ApiError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error.__module__.startswith("chalicelib."):
            found.setdefault(error.code, set()).add(error.status)
    assert {code: statuses for code, statuses in found.items() if len(statuses) > 1} == {}


class Sold(ConflictError):
    code = "sold"
    default_message = "It is sold."


class Bid(Request):
    amount: int
    note: str | None = None


class LotOut(Response):
    """A thing for sale."""

    id: str
    amount: int


lots = Api("Lots")


@lots.post("/v1/lots/{lot_id}/bids", role=Role.AGENT, scope="lots:write", body=Bid, answer=LotOut, errors=(Sold,))
def place_bid(call: Call, body: Bid, lot_id: str) -> LotOut:
    """Bid for a lot. The highest bid wins.

    Bids are final.
    """
    raise NotImplementedError


class TestAnOperation:
    @pytest.fixture
    def operation(self) -> Json:
        operation: Json = make(lots)["paths"]["/v1/lots/{lot_id}/bids"]["post"]
        return operation

    def test_its_words_come_from_the_docstring(self, operation: Json) -> None:
        assert operation["summary"] == "Bid for a lot"
        assert operation["description"] == "The highest bid wins.\nBids are final."

    def test_it_says_who_may(self, operation: Json) -> None:
        assert operation["security"] == [{"accessToken": ["agent"]}, {"apiKey": ["lots:write"]}]
        assert (operation["x-minimum-role"], operation["x-required-scope"]) == ("agent", "lots:write")

    def test_it_takes_path_variables_and_headers(self, operation: Json) -> None:
        first, *others = operation["parameters"]
        assert (first["name"], first["in"], first["required"]) == ("lot_id", "path", True)
        assert [each["$ref"].rpartition("/")[2] for each in others] == ["X-Tenant-ID", "Idempotency-Key"]

    def test_it_lists_every_refusal(self, operation: Json) -> None:
        assert set(operation["responses"]) == {
            *("200", "400", "401", "403", "404", "409", "413", "415", "421", "422", "429", "503", "default")
        }
        assert operation["responses"]["409"]["$ref"] == "#/components/responses/409.sold"
        assert "insufficient_role" in operation["responses"]["403"]["$ref"]

    def test_it_names_models_as_callers_do(self, operation: Json) -> None:
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer == {"$ref": "#/components/schemas/Lot"}
        assert "LotOut" not in json.dumps(make(lots))
