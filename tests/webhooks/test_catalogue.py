"""The catalogue of events: it has every type that the code writes, and a schema for each."""

import ast
import re
from pathlib import Path

import jsonschema
import pytest

from chalicelib.webhooks.catalogue import EVENT_TYPES, schema_of
from tests.support.tenants import anonymous

CODE = Path(__file__).resolve().parents[2] / "chalicelib"
WRITING = {"NewEvent", "recording", "recording_at"}
TYPE = re.compile(r"^[a-z]\w*\.[a-z]\w*$")
FAMILIES = {type_.partition(".")[0] for type_ in EVENT_TYPES}
# Of people, which are in no tenant's log; what is not logged; and variables of canned responses.
UNLOGGED = {"user", "session"}
OTHERS = {
    "job.continued",
    "file.discarded",
    "visitor.name",
    "visitor.email",
    "agent.name",
    "tenant.name",
    "conversation.number",
}


def types_in(source: str) -> set[str]:
    """The texts that look like a type: of any family where events are written, of a known one elsewhere."""
    tree = ast.parse(source)
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    writes = {node.id if isinstance(node, ast.Name) else getattr(node, "attr", "") for node in called} & WRITING
    found = {text for text in texts_of(tree) if TYPE.match(text)}
    return {text for text in found if writes or text.partition(".")[0] in FAMILIES} - OTHERS


def texts_of(tree: ast.AST) -> set[str]:
    return {each.value for each in ast.walk(tree) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def jobs_in(source: str) -> set[str]:
    """Kinds of jobs, which look like types."""
    assigned = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
    named = [node for node in assigned if any(getattr(name, "id", "").endswith("_JOB") for name in node.targets)]
    return {text for node in named for text in texts_of(node)}


def written() -> set[str]:
    sources = [module.read_text() for module in CODE.rglob("*.py") if module.name != "catalogue.py"]
    found = {type_ for source in sources for type_ in types_in(source)}
    found -= {kind for source in sources for kind in jobs_in(source)}
    return {type_ for type_ in found if type_.partition(".")[0] not in UNLOGGED}


def test_every_type_that_the_code_writes_is_in_it_and_no_other():
    assert written() == set(EVENT_TYPES)


def test_a_type_that_is_not_in_it_would_be_found():
    assert types_in('def f():\n    return NewEvent("made.up", {}, actor)') == {"made.up"}
    assert types_in('type_ = "visitor.renamed"') == {"visitor.renamed"}
    assert jobs_in('MERGE_JOB = "contact.merge"') == {"contact.merge"}


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_its_schema_is_one_and_is_public(type_):
    answer = anonymous().get(f"/v1/events/schemas/{type_}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/schema+json"
    assert answer.json == schema_of(type_)
    jsonschema.Draft202012Validator.check_schema(answer.json)
    assert answer.json["properties"]["type"] == {"const": type_}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"id": "evt_1", "type": type_}, answer.json)


def test_the_list_names_every_type_and_where_its_schema_is():
    answer = anonymous().get("/v1/events/schemas")
    assert answer.status == 200
    listed = {each["type"]: each["url"] for each in answer.json["data"]}
    assert listed.keys() == EVENT_TYPES.keys()
    assert all(url == schema_of(type_)["$id"] for type_, url in listed.items())
    assert all(each["description"].endswith(".") for each in answer.json["data"])


@pytest.mark.parametrize("type_", ["made.up", "message", "*", "x" * 300, "%C3%A9"])
def test_an_unknown_type_is_not_found(type_):
    answer = anonymous().get(f"/v1/events/schemas/{type_}")
    assert (answer.status, answer.code) == (404, "not_found")
