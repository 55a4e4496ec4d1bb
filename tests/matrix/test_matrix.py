"""Every route × everybody × whose object it is: nobody gets more, or less, than `policy.py` says.

The routes come from `app.APIS`, one good request to each from `tests/budgets/requests.py`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

import pytest

from chalicelib.core.http import Role, Route
from tests.budgets.requests import REQUESTS
from tests.matrix.cast import NAMES, cast
from tests.matrix.policy import (
    IN_THE_VIEW,
    NO_KEYS,
    NOBODY,
    READS,
    ROLES,
    Caller,
    expected,
    is_account,
    is_live_only,
    is_public,
    is_users,
    is_visitors,
    role_for,
)
from tests.matrix.requests import Recipe, Sent, Variant, names_something, variants
from tests.support import client as client_module
from tests.support.aws import Services
from tests.support.chats import new_chat, new_site
from tests.support.client import Answer
from tests.support.tenants import Organisation

# Whether a credential is sent does not matter to these, so that not everybody needs to try.
_AT_PUBLIC_ROUTES = ("anonymous", "expired token", "stranger", "visitor")
THEMSELF = "themself"  # at the routes about one's own account: the user whose account a request is about


def routes() -> dict[str, Route]:
    from app import APIS

    return {f"{route.method} {route.path}": route for api in APIS for route in api.routes}


def test_every_route_has_a_request():
    assert set(REQUESTS) == set(routes())


@pytest.mark.parametrize("name", list(REQUESTS))
def test_a_decorator_says_what_the_policy_says(name):
    route = routes()[name]
    wrong = [f"the decorator says {each}" for each, missing in said(name, route) if missing]
    assert wrong == [], f"{name}: {'; '.join(wrong)}"


def said(name: str, route: Route) -> Iterator[tuple[str, bool]]:
    """Return what the decorator says, with the line that would allow it, and whether the policy says otherwise."""
    add = "mend it, or in tests/matrix/policy.py"
    if route.public or is_public(name):
        yield (
            f"public={route.public}: {add} let PUBLIC {'match' if route.public else 'not match'} it",
            (route.public != is_public(name)),
        )
        return
    kinds = {"visitor"} if is_visitors(name) else {"user"} if is_users(name) else {"user", "api_key"}
    where = "add it to MINE" if route.tenant else "let ACCOUNT match it"
    yield f"kinds={sorted(route.kinds)}, not {sorted(kinds)}: {add} {where}, if only users may", route.kinds != kinds
    if is_visitors(name):
        return
    wanted = role_for(name)
    role = route.role.label if route.tenant else NOBODY
    if name in IN_THE_VIEW:
        wanted = "viewer"
    known = f'"{role}"' if route.tenant else "NOBODY"
    yield f'role={role}, not {wanted}: {add} add to _EXCEPTIONS: "{name}": {known},', role != wanted
    keyless = is_users(name) or name in NO_KEYS
    yield f"scope={route.scope}: {add} add it to NO_KEYS, if no key may", (route.scope is None) != keyless
    if route.scope:
        reads = route.method == "GET" or name in READS
        yield f"scope={route.scope} for {route.method}: mend it", route.scope.endswith(":read") != reads
    yield f"live_only={route.live_only}: {add} let LIVE_ONLY agree", route.live_only != is_live_only(name)


def test_roles_are_the_ones_the_policy_knows():
    assert [role.label for role in sorted(Role)] == list(ROLES)


def test_there_are_more_than_a_thousand_cells():
    assert len(cells()) > 1000


def cells() -> list[tuple[str, str, str]]:
    """Count without sending: what a body names and single variables of a path come on top."""
    found = []
    for name in REQUESTS:
        whose = ["own", *(["missing"] if "{" in name else [])] if is_public(name) else ["own", "foreign", "missing"]
        callers = _AT_PUBLIC_ROUTES if is_public(name) else NAMES
        found += [(name, caller, each) for caller in callers for each in whose]
    return found


@pytest.fixture(autouse=True)
def _cached_authorizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the authorizer's answers, as API Gateway does."""
    monkeypatch.setattr(client_module, "_authorize", lru_cache(client_module._authorize))


@pytest.fixture(autouse=True)
def _unlimited_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody try more passwords than they may, because a 429 would hide what else they get."""
    monkeypatch.setattr("chalicelib.core.ratelimit.take_attempt", lambda *_: None)


@pytest.mark.parametrize("name", list(REQUESTS))
def test_everybody_gets_what_the_policy_says(services, name):
    Board(name, stage(), services).play()


@dataclass
class Stage:
    """Two tenants, and everybody who knows the first one."""

    tenant: Organisation = field(default_factory=new_site)
    other: Organisation = field(default_factory=new_site)
    played: int = 0

    def __post_init__(self) -> None:
        self.chat = new_chat(self.tenant)
        self.everybody = cast(self.tenant, self.chat.client)


_stages: list[Stage] = []
ROUTES_A_STAGE = 10  # more, and its tenant comes near its limits


def stage() -> Stage:
    """Return a stage for one more route."""
    if not _stages or _stages[-1].played == ROUTES_A_STAGE:
        _stages.append(Stage())
    _stages[-1].played += 1
    return _stages[-1]


class Board:
    """One route on a stage."""

    def __init__(self, name: str, stage: Stage, services: Services) -> None:
        self.name, self.other, self.everybody = name, stage.other, stage.everybody
        self.chat = stage.chat
        self.recipe = Recipe(name, stage.tenant, services)
        self.foreign = Recipe(name, stage.other, services).fresh()
        self.refusals: dict[str, tuple[int, str]] = {}

    def play(self) -> None:
        """Let everybody send everything: first what is to be refused, so that one set of things does for all."""
        own, wrong = self._fresh(), []
        found = [variant for variant in variants(self.name, own, self.foreign) if self._applies(variant)]
        allowed = []
        for caller in self._callers():
            for variant in found:
                status = self._expected(self._caller(caller), variant)
                if status == 200:
                    allowed.append((caller, variant))
                else:
                    wrong += self._try(caller, variant, status)
        # What was refused has not happened: the first who may finds everything as it was.
        for number, (caller, variant) in enumerate(allowed):
            used = number and not self.name.startswith("GET ") and (caller == THEMSELF or not is_account(self.name))
            answer = self._send(caller, variant, self._fresh() if used else variant.sent)
            if not 200 <= answer.status < 400:
                wrong.append(self._said(caller, variant, answer, 200))
        assert wrong == []

    def _callers(self) -> tuple[str, ...]:
        if is_public(self.name):
            return _AT_PUBLIC_ROUTES
        return (*NAMES, THEMSELF) if is_account(self.name) else NAMES

    def _caller(self, name: str) -> Caller:
        if name == THEMSELF:
            return Caller("user")
        known = self.everybody[name].caller
        return replace(known, own=False) if is_account(self.name) and known.kind == "user" else known

    def _fresh(self) -> Sent:
        return self.recipe.fresh(self.chat if is_visitors(self.name) else None)

    def _applies(self, variant: Variant) -> bool:
        if is_public(self.name):
            return variant.named.thing in {None, "own", "missing"} and variant.where != "X-Tenant-ID"
        if is_account(self.name):  # in no tenant, so that one wrong one is enough
            return (variant.where, variant.header) != ("X-Tenant-ID", "missing")
        return not (is_visitors(self.name) and variant.where == "X-Tenant-ID")

    def _expected(self, caller: Caller, variant: Variant) -> int:
        # What a body names is live data, which is not there for a test-mode key.
        in_body = variant.named.in_body or (caller.test and names_something(variant.sent))
        return expected(self.name, caller, replace(variant.named, in_body=in_body))

    def _try(self, caller: str, variant: Variant, status: int) -> list[str]:
        answer = self._send(caller, variant, variant.sent)
        if answer.status != status:
            return [self._said(caller, variant, answer, status)]
        if status == 404 or (variant.named.in_body and status == 422):
            # What is another's and what is nobody's look alike, to the byte.
            seen = (answer.status, _without_request_id(answer))
            if self.refusals.setdefault(f"{caller}, {status}", seen) != seen:
                return [self._said(caller, variant, answer, status) + " differs from another refusal of its kind"]
        return []

    def _send(self, caller: str, variant: Variant, sent: Sent) -> Answer:
        tenants = {"own": {}, "foreign": {"X_Tenant_ID": self.other.id}, "missing": {"X_Tenant_ID": f"tn_{'0' * 26}"}}
        client = sent.asker if caller == THEMSELF else self.everybody[caller].client
        return sent.by(client, **tenants[variant.header])

    def _said(self, caller: str, variant: Variant, answer: Answer, status: int) -> str:
        where = f"{variant.where} {variant.named}"
        return f"{self.name} by {caller}, {where}: {answer.status}, expected {status}: {answer.text[:200]}"


def _without_request_id(answer: Answer) -> str:
    body = json.loads(answer.text)
    body["error"].pop("request_id", None)
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "x-request-id"}
    return json.dumps([body, sorted(headers.items())])
