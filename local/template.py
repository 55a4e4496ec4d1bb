"""Reads infra/*.yaml, so that what is deployed and what runs here cannot differ."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


def stateful_resources(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of every stateful resource of one CloudFormation type, by its logical id."""
    return _resources("stateful.yaml", kind)


def directory_resources(kind: str) -> dict[str, dict[str, Any]]:
    """Return the same of the directory that all regions share."""
    return _resources("directory.yaml", kind)


def application_resources(kind: str) -> dict[str, dict[str, Any]]:
    """Return the same of the application's own template, without what Chalice generates."""
    return _resources("app.merge.yaml", kind)


def _resources(file: str, kind: str) -> dict[str, dict[str, Any]]:
    text = (ROOT / "infra" / file).read_text()
    template = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource.get("Type") == kind
    }


# Written in C where there is one, which takes a tenth of the time.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two bases
    """Reads CloudFormation's short forms (`!Sub …`) as the plain value behind them."""


def _plain(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node) if isinstance(node, yaml.MappingNode) else None


_Loader.add_multi_constructor("!", _plain)
