"""A Lambda authorizer the way API Gateway runs it: on one header, its policy cached by token, refusals by kind."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from local.kinds import Call, Handler, Returned

DEFAULT_TTL = 300
CACHE_SIZE = 10_000


class Refused(Exception):
    """The request ends here, with a gateway response of this kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Policy:
    """What an authorizer said about a token."""

    allowed: tuple[re.Pattern[str], ...]
    denied: tuple[re.Pattern[str], ...]
    context: dict[str, str]

    def allows(self, method_arn: str) -> bool:
        """An explicit denial wins; what nothing allows is denied."""
        if any(pattern.fullmatch(method_arn) for pattern in self.denied):
            return False
        return any(pattern.fullmatch(method_arn) for pattern in self.allowed)


class CachedAuthorizer:
    """One authorizer of the API with its cache: least recently used tokens leave first."""

    def __init__(
        self, handler: Handler, call: Call, clock: Callable[[], float] = time.monotonic, size: int = CACHE_SIZE
    ) -> None:
        config = handler.config
        self.header = (config.header or "Authorization").lower()
        self._ttl = DEFAULT_TTL if config.ttl_seconds is None else int(config.ttl_seconds)
        self._handler = handler
        self._call = call
        self._clock = clock
        self._size = size
        self._cache: OrderedDict[str, tuple[float, Policy]] = OrderedDict()
        self._flushes = 0

    async def authorize(self, token: str, method_arn: str) -> dict[str, str]:
        """Return the context for the function. Raises Refused."""
        if not token:
            raise Refused("UNAUTHORIZED")
        policy = self._cached(token)
        if policy is None:
            flushes = self._flushes
            policy = await self._ask(token, method_arn)
            if flushes == self._flushes:  # what was asked before a flush may already be wrong
                self._keep(token, policy)
        if not policy.allows(method_arn):
            raise Refused("ACCESS_DENIED")
        return policy.context

    def flush(self) -> None:
        self._flushes += 1
        self._cache.clear()

    async def _ask(self, token: str, method_arn: str) -> Policy:
        event = {"type": "TOKEN", "authorizationToken": token, "methodArn": method_arn}
        try:
            result = await self._call(self._handler, event, self._handler.config.name)
        except TimeoutError:
            raise Refused("AUTHORIZER_FAILURE") from None
        except Exception as error:
            if str(error) == "Unauthorized":
                raise Refused("UNAUTHORIZED") from None
            raise Refused("AUTHORIZER_CONFIGURATION_ERROR") from error
        try:
            return parse_policy(result)
        except (KeyError, TypeError, AttributeError) as error:
            raise Refused("AUTHORIZER_CONFIGURATION_ERROR") from error

    def _cached(self, token: str) -> Policy | None:
        entry = self._cache.get(token)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._cache[token]
            return None
        self._cache.move_to_end(token)
        return entry[1]

    def _keep(self, token: str, policy: Policy) -> None:
        if self._ttl <= 0:
            return
        self._cache[token] = (self._clock() + self._ttl, policy)
        if len(self._cache) > self._size:
            self._cache.popitem(last=False)


def parse_policy(result: Returned) -> Policy:
    """Read an authorizer's answer; KeyError, TypeError or AttributeError when it is not one."""
    patterns: dict[str, list[re.Pattern[str]]] = {"Allow": [], "Deny": []}
    for statement in result["policyDocument"]["Statement"]:
        resources = statement["Resource"]
        for resource in [resources] if isinstance(resources, str) else resources:
            patterns[statement["Effect"]].append(_pattern(resource))
    context = {name: _as_text(value) for name, value in (result.get("context") or {}).items()}
    context["principalId"] = str(result["principalId"])
    return Policy(tuple(patterns["Allow"]), tuple(patterns["Deny"]), context)


def _pattern(resource: str) -> re.Pattern[str]:
    return re.compile(re.escape(resource).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _as_text(value: object) -> str:
    """API Gateway hands every value on as a string, and takes nothing but strings, numbers and booleans."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError("an authorizer's context takes strings, numbers and booleans only")
