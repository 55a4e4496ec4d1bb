"""Which resource of the API a path belongs to: static before variable before greedy, as API Gateway picks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote


@dataclass(slots=True)
class Resource:
    """One path of the API with its methods, Chalice's RouteEntry each."""

    path: str
    methods: Mapping[str, Any]
    preflight: dict[str, str] | None  # headers of the static answer to OPTIONS; None where no method has CORS


@dataclass(slots=True)
class _Node:
    static: dict[str, "_Node"] = field(default_factory=dict)
    variable: "_Node | None" = None
    variable_name: str = ""
    greedy: Resource | None = None
    greedy_name: str = ""
    resource: Resource | None = None


class RouteTable:
    """A trie of path segments; a look-up costs the depth of the path, not the number of routes."""

    def __init__(self, routes: Mapping[str, Mapping[str, Any]]) -> None:
        self._root = _Node()
        self._exact: dict[str, Resource] = {}
        for path, methods in routes.items():
            self._add(Resource(path, dict(methods), _preflight(methods)))

    def find(self, path: str) -> tuple[Resource, dict[str, str]] | None:
        """Return the resource of a still percent-encoded path and its decoded variables.

        A trailing slash makes no difference, as in REST APIs.
        """
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        captured: dict[str, str] = {}
        found = _walk(self._root, [s for s in path.strip("/").split("/") if s], 0, captured)
        return (found, captured) if found else None

    def _add(self, resource: Resource) -> None:
        segments = [s for s in resource.path.split("/") if s]
        if "{" not in resource.path:
            self._exact[resource.path] = resource
        node = self._root
        for segment in segments:
            if segment.endswith("+}"):
                node.greedy, node.greedy_name = resource, segment[1:-2]
                return
            if segment.startswith("{"):
                node.variable = node.variable or _Node()
                node.variable_name = segment[1:-1]  # siblings share one name: API Gateway refuses anything else
                node = node.variable
            else:
                node = node.static.setdefault(segment, _Node())
        node.resource = resource


def _walk(node: _Node, segments: list[str], index: int, captured: dict[str, str]) -> Resource | None:
    if index == len(segments):
        return node.resource
    segment = segments[index]
    child = node.static.get(segment)
    if child and (found := _walk(child, segments, index + 1, captured)):
        return found
    if node.variable and (found := _walk(node.variable, segments, index + 1, captured)):
        captured[node.variable_name] = unquote(segment)
        return found
    if node.greedy:
        captured[node.greedy_name] = unquote("/".join(segments[index:]))
    return node.greedy


def _preflight(methods: Mapping[str, Any]) -> dict[str, str] | None:
    """The mock answer Chalice packages for a path; its own OPTIONS route would win over it."""
    with_cors = [name for name, entry in methods.items() if entry.cors is not None]
    if not with_cors or "OPTIONS" in methods:
        return None
    headers = {"Access-Control-Allow-Methods": ",".join([*with_cors, "OPTIONS"])}
    headers.update(methods[with_cors[0]].cors.get_access_control_headers())
    return headers
