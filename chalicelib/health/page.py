"""The reference as one HTML page that loads nothing from anywhere: a pure function of the OpenAPI document."""

import base64
import hashlib
import re
from collections import defaultdict
from html import escape
from pathlib import Path

from chalicelib.core.http.openapi_schemas import Json
from chalicelib.health.cures import CURES
from chalicelib.health.markup import curl, fields_table, inline, paragraphs, pretty, reference, resolve

_HERE = Path(__file__).parent
_METHODS = ("get", "post", "put", "patch", "delete")


def render(document: Json) -> tuple[str, str]:
    """Return the page and the Content-Security-Policy that lets exactly its own style and script run."""
    style, script = (_HERE / "docs.css").read_text("utf-8"), (_HERE / "docs.js").read_text("utf-8")
    info = document["info"]
    by_tag: dict[str, list[tuple[str, str, Json]]] = defaultdict(list)
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                by_tag[item[method]["tags"][0]].append((method, path, item[method]))
    page = (_HERE / "docs.html").read_text("utf-8")
    for name, value in {
        "title": escape(info["title"]),
        "version": escape(info["version"]),
        "server": escape(document["servers"][0]["url"]),
        "navigation": "".join(_navigation(tag, found) for tag, found in by_tag.items()),
        "introduction": paragraphs(info["description"], heading=3),
        "sections": "".join(_sections(document, by_tag)),
        "errors": "".join(_error_row(error) for error in document["x-errors"]),
        "style": style,
        "script": script,
    }.items():
        page = page.replace(f"{{{{{name}}}}}", value)
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _navigation(tag: str, operations: list[tuple[str, str, Json]]) -> str:
    links = "".join(
        f'<li data-for="{operation["operationId"]}"><a href="#{operation["operationId"]}">'
        f"{_badge(method)} <span>{inline(operation['summary'])}</span></a></li>"
        for method, path, operation in operations
    )
    return f'<li class="group"><a href="#{_anchor(tag)}">{escape(tag)}</a><ul>{links}</ul></li>'


def _sections(document: Json, by_tag: dict[str, list[tuple[str, str, Json]]]) -> list[str]:
    shown: set[str] = set()
    found = []
    for tag, operations in by_tag.items():
        parts = "".join(_operation(document, *each) for each in operations)
        objects = "".join(_object(document, name) for name in _objects(document, operations, shown))
        name = escape(tag)
        found.append(
            f'<section class="tag" aria-labelledby="{_anchor(tag)}"><h2 id="{_anchor(tag)}">{name}</h2>'
            f"{parts}{objects}</section>"
        )
    return found


def _operation(document: Json, method: str, path: str, operation: Json) -> str:
    name, words = operation["operationId"], [operation["summary"], path, method, operation["tags"][0]]
    taken = [*_parameters(document, operation), *_body(document, operation)]
    return (
        f'<article class="operation" id="{name}" data-words="{escape(" ".join(words).lower())}">'
        f'<div class="text"><h3><a href="#{name}">{inline(operation["summary"])}</a></h3>'
        f'<p class="where">{_badge(method)} <code>{_breakable(path)}</code></p>'
        f"{paragraphs(operation.get('description', ''), heading=4)}"
        f"{_permission(operation)}{''.join(taken)}{_answers(document, operation)}</div>"
        f'<div class="example">{_examples(document, method, path, operation)}</div></article>'
    )


def _permission(operation: Json) -> str:
    kinds = {kind: names for choice in operation["security"] for kind, names in choice.items()}
    ways = []
    if "accessToken" in kinds:
        role = operation.get("x-minimum-role")
        above = "" if role == "owner" else " or above"
        ways.append(f"a user with the role <code>{role}</code>{above}" if role else "any signed-in user")
    if "apiKey" in kinds:
        ways.append(f"an API key with <code>{escape(operation['x-required-scope'])}</code>")
    if "visitorToken" in kinds:
        ways.append("a visitor, from their own site")
    who = ", or ".join(ways) if ways else "anybody; no credential is needed"
    return f'<p class="permission"><strong>Who may:</strong> {who}.</p>'


def _parameters(document: Json, operation: Json) -> list[str]:
    shared = document["components"]["parameters"]
    found = [
        shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in operation.get("parameters", ())
    ]
    tables = []
    for place, title in (("path", "In the path"), ("query", "Query"), ("header", "Headers")):
        properties = {
            each["name"]: each["schema"] | {"description": each.get("description", "")}
            for each in found
            if each["in"] == place
        }
        required = [each["name"] for each in found if each.get("required")]
        if properties:
            schema = {"properties": properties, "required": required, "additionalProperties": False}
            tables.append(fields_table(document, title, schema))
    return tables


def _body(document: Json, operation: Json) -> list[str]:
    if "requestBody" not in operation:
        return []
    schema = next(iter(operation["requestBody"]["content"].values()))["schema"]
    return [fields_table(document, "Body", schema, deep=True)]


def _answers(document: Json, operation: Json) -> str:
    rows, refused = [], []
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            refused.append((status, document["components"]["responses"][answer["$ref"].rpartition("/")[2]]))
            continue
        shown = "".join(f" {reference(content['schema'], kind)}" for kind, content in answer.get("content", {}).items())
        rows.append(f"<li><b>{status}</b> {escape(answer['description'])}{shown}</li>")
    for status, answer in refused:
        codes = next(iter(answer["content"].values())).get("examples", {})
        links = ", ".join(f'<a href="#error-{code}"><code>{code}</code></a>' for code in codes)
        if links:
            rows.append(f"<li><b>{status}</b> {links}</li>")
    return f'<h4>Answers</h4><ul class="answers">{"".join(rows)}</ul>'


def _examples(document: Json, method: str, path: str, operation: Json) -> str:
    parts = [_sample("Request", curl(document["servers"][0]["url"], method, path, operation), operation)]
    for status, answer in operation["responses"].items():
        shown = [content["example"] for content in answer.get("content", {}).values() if "example" in content]
        parts += [_sample(f"Answer {status}", pretty(example), operation) for example in shown]
    return "".join(parts)


def _sample(title: str, text: str, operation: Json) -> str:
    # A code block that scrolls sideways must be reachable by keyboard, and a focusable region needs a name.
    label = escape(f"{title}: {operation['summary']}")
    return f'<h4>{title}</h4><pre tabindex="0" role="region" aria-label="{label}"><code>{escape(text)}</code></pre>'


def _objects(document: Json, operations: list[tuple[str, str, Json]], shown: set[str]) -> list[str]:
    """Return the names of the models that these operations are the first to answer, or to take inside a body."""
    waiting = [
        content["schema"]
        for _, _, operation in operations
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
    ]
    waiting += [
        resolve(document, content["schema"]).get("properties", {})
        for _, _, operation in operations
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    found = []
    while waiting:
        schema = waiting.pop(0)
        if isinstance(schema, dict):
            name = str(schema.get("$ref", "")).rpartition("/")[2]
            if name and name not in shown:
                shown.add(name)
                found.append(name)
                waiting.append(document["components"]["schemas"][name])
            waiting.extend(schema.values())
        elif isinstance(schema, list):
            waiting.extend(schema)
    return found


def _object(document: Json, name: str) -> str:
    schema = document["components"]["schemas"][name]
    said = paragraphs(schema.get("description", ""), heading=4)
    table = fields_table(document, name, schema) if "properties" in schema else ""
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", ()))
    return (
        f'<section class="object" id="object-{name}" aria-labelledby="title-{name}">'
        f'<h3 id="title-{name}">{name}</h3>{said}{table}{values}</section>'
    )


def _error_row(error: Json) -> str:
    code, note = error["code"], " ".join(error["note"].split())
    said = " ".join(escape(part) for part in (error["message"], note) if part)
    cure = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(CURES.get(code, "")))
    return (
        f'<tr id="error-{code}"><th scope="row"><code>{code}</code></th><td>{error["status"]}</td>'
        f"<td>{said}</td><td>{cure}</td></tr>"
    )


def _badge(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _breakable(text: str) -> str:
    """Let a path break before its parts."""
    return escape(text).replace("/", "<wbr>/")


def _anchor(tag: str) -> str:
    return "tag-" + "".join(char if char.isalnum() else "-" for char in tag.lower())


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
