"""What the terminal says once the stack is ready."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

_PAGES = [("/docs", "API reference"), ("/inbox", "Agents' inbox"), ("/demo", "Demo page with the widget")]
_ROLES = ("owner", "admin", "agent", "viewer")


def welcome(base_url: str, data: Path, routes: Collection[str], demo: Path) -> str:
    """The URLs that exist and, if there is demo data, who can log in."""
    pages = [(name, base_url + path) for path, name in _PAGES if path in routes]
    pages += [
        ("Mails sent", f"{base_url}/_local/mail"),
        ("Stripe’s double", f"{base_url}/_local/stripe"),
        ("Data and logs", str(data)),
    ]
    lines = ["", f"Parley is ready at {base_url}", ""]
    lines += [f"  {name:<26}{place}" for name, place in pages]
    lines += _credentials(demo)
    lines += ["", "Ctrl-C stops it; the data stays.", ""]
    return "\n".join(lines)


def _credentials(demo: Path) -> list[str]:
    try:
        tenants = json.loads(demo.read_text())["tenants"]
    except (OSError, ValueError, KeyError):
        return []
    lines = ["", f"  Demo data, all of it in {demo}:"]
    for tenant in tenants:
        lines += ["", f"  {tenant.get('name')} ({tenant.get('id')})"]
        lines += [_member(role, tenant[role]) for role in _ROLES if role in tenant]
        if "api_key" in tenant:
            lines.append(f"    {'API key':<10}{tenant['api_key']}")
    return lines


def _member(role: str, member: dict[str, Any]) -> str:
    return f"    {role:<10}{member.get('email'):<34}{member.get('password')}"
