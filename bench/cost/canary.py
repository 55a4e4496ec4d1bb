"""The canary's run, with its requests answered in this process as API Gateway would."""

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from bench.inprocess import Caller

if TYPE_CHECKING:
    from bench.cost.acts import World

FUNCTION = "run_canary"


def fly(world: "World") -> None:
    """Go once around; the authorizer is asked once for each token. RuntimeError if something does not get through."""
    from chalicelib.health import canary

    meter, app = world.meter, world.app.app
    known: dict[str, dict[str, str]] = {}

    def ask(_step: str, method: str, path: str, headers: dict[str, str], body: object = None) -> Any:  # noqa: ANN401 - any JSON
        meter.waits("api")
        _, _, token = headers.get("Authorization", "").partition(" ")
        if token and token not in known:
            known[token] = world.admit(token)
        caller = Caller(app, known.get(token, {}), headers.get("Origin", ""))
        return meter.request(app, caller.event(method, path, body))

    def pause(_seconds: float) -> None:
        meter.waits("pause")
        meter.drain()

    with patch.object(canary, "_ask", ask), meter.function(FUNCTION):
        if not canary.run(pause):
            raise RuntimeError("the canary failed")
