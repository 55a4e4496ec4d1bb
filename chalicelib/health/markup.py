"""Pieces of the reference page: prose, tables of fields, types, and example commands."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from chalicelib.core.http.openapi_schemas import PREFIX, Json

_FORMATS = {"date-time": "time (RFC 3339)", "date": "date", "email": "e-mail address", "uri": "URL"}
_WIDE = 40  # a longer body is spread over lines, so that it need not be scrolled
_LIMITS = (("minLength", "maxLength", "characters"), ("minItems", "maxItems", "entries"), ("minimum", "maximum", ""))


def paragraphs(text: str, *, heading: int) -> str:
    """Render the little markdown that docstrings use: paragraphs, `code`, *emphasis*, `##` headings, fenced blocks."""
    found = []
    for number, part in enumerate(re.split(r"^```\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)):
        if number % 2:
            found.append(f'<pre tabindex="0" role="region" aria-label="Example"><code>{escape(part)}</code></pre>')
            continue
        for block in filter(None, map(str.strip, part.split("\n\n"))):
            if block.startswith("## "):
                found.append(f"<h{heading}>{escape(block[3:])}</h{heading}>")
            else:
                found.append(f"<p>{inline(block)}</p>")
    return "".join(found)


def inline(text: str) -> str:
    """Render `code` and *emphasis*."""
    rendered = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"(?<![\w*])\*([^*<]+)\*(?![\w*])", r"<em>\1</em>", rendered)


def fields_table(document: Json, title: str, schema: Json, *, deep: bool = False) -> str:
    """Return a table of an object's fields; `deep` lists the fields of objects inside it as well."""
    rows = "".join(_row(*field) for field in _fields(document, schema, "", deep=deep))
    if not rows:
        return ""
    return (
        f'<table class="fields"><caption>{escape(title)}</caption><thead><tr><th scope="col">Name</th>'
        f'<th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _fields(document: Json, schema: Json, prefix: str, *, deep: bool) -> Iterator[tuple[str, Json, bool]]:
    schema = resolve(document, schema)
    answered = "additionalProperties" not in schema  # an answer always has all its fields: no need to say so of each
    for name, each in schema.get("properties", {}).items():
        yield prefix + name, each, not answered and name in schema.get("required", ())
        for inner, mark in _inside(each):
            if deep and prefix.count(".") < 2:
                yield from _fields(document, inner, f"{prefix}{name}{mark}", deep=True)


def _inside(schema: Json) -> Iterator[tuple[Json, str]]:
    """Yield the models inside a field's schema, and what joins their fields' names to its own."""
    for option in schema.get("anyOf", [schema]):
        for inner, mark in ((option, "."), (option.get("items", {}), "[].")):
            if "$ref" in inner:
                yield inner, mark


def _row(name: str, schema: Json, required: bool) -> str:
    facts = [text for bounds in _LIMITS if (text := _limits(schema, *bounds))]
    if schema.get("default") not in (None, "", [], {}):
        facts.append(f"default {json.dumps(schema['default'], ensure_ascii=False)}")
    said = inline(" ".join(schema.get("description", "").split()))
    small = f'<span class="facts">{escape("; ".join(facts))}</span>' if facts else ""
    shown = escape(name).replace("_", "_<wbr>").replace(".", ".<wbr>")
    must = ' <span class="required">required</span>' if required else ""
    return f'<tr><th scope="row"><code>{shown}</code>{must}</th><td>{type_of(schema)}</td><td>{said} {small}</td></tr>'


def _limits(schema: Json, low: str, high: str, unit: str) -> str:
    schema = next((option for option in schema.get("anyOf", ()) if low in option or high in option), schema)
    least, most = schema.get(low), schema.get(high)
    if most is not None:
        text = f"at most {most:,}" if not least else f"{least:,} to {most:,}"
    else:
        text = f"at least {least:,}" if least else ""
    return f"{text} {unit}".strip() if text else ""


def type_of(schema: Json) -> str:
    """Say in HTML what a value may be."""
    if "$ref" in schema:
        return reference(schema)
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    for options in (schema.get("anyOf"), schema.get("oneOf")):
        if options:
            return " or ".join(type_of(option) for option in options)
    kinds = schema.get("type", "any value")
    return " or ".join(_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _kind(kind: str, schema: Json) -> str:
    if kind == "array":
        return f"list of {type_of(schema['items'])}" if schema.get("items") else "list"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"object of {type_of(values)}" if isinstance(values, dict) and values else "object"
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "text")
    return {"integer": "whole number", "boolean": "true or false"}.get(kind, kind)


def reference(schema: Json, content_type: str = "application/json") -> str:
    """Link to the table of a model, or name the content type of what is no model."""
    if "$ref" not in schema:
        return f"<code>{escape(content_type)}</code>"
    name = schema["$ref"].removeprefix(PREFIX)
    return f'<a href="#object-{name}">{name}</a>'


def resolve(document: Json, schema: Json) -> Json:
    """Follow a reference to a model."""
    if "$ref" not in schema:
        return schema
    found: Json = document["components"]["schemas"][schema["$ref"].removeprefix(PREFIX)]
    return found


def pretty(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _body(content_type: str, content: Json) -> list[str]:
    if "example" not in content:
        return [f"-F {name}=@photo.png" for name in content["schema"]["required"]]
    body = json.dumps(content["example"], ensure_ascii=False)
    body = (pretty(content["example"]) if len(body) > _WIDE else body).replace("'", "'\\''")
    return [f'-H "Content-Type: {content_type}"', f"-d '{body}'"]


def curl(server: str, method: str, path: str, operation: Json) -> str:
    """Return a command that makes the request from a shell, with the credential in `$TOKEN`."""
    for parameter in operation.get("parameters", ()):
        if parameter.get("in") == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    query = [
        f"{parameter['name']}={parameter['schema'].get('examples', ['…'])[0]}"
        for parameter in operation.get("parameters", ())
        if parameter.get("in") == "query" and parameter["required"]
    ]
    url = server + path + ("?" + "&".join(query) if query else "")
    parts = ["curl" if method == "get" else f"curl -X {method.upper()}", f"'{url}'" if query else url]
    command = [" ".join(parts)]
    if operation["security"]:
        command.append('-H "Authorization: Bearer $TOKEN"')
    if {"visitorToken": []} in operation["security"]:
        command.append('-H "Origin: https://shop.example.com"')
    if "requestBody" in operation:
        (content_type, content), *_ = operation["requestBody"]["content"].items()
        command += _body(content_type, content)
    return " \\\n  ".join(command)
