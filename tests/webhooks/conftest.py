"""Every test here works on the real engine with stand-ins for the other services, and on servers on this machine."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.aws import Services
from tests.support.receivers import Answer, Listener, Receiver
from tests.support.settings import changed


@pytest.fixture(autouse=True)
def _services(services: Services) -> Services:
    return services


@pytest.fixture
def loopback() -> Iterator[None]:
    """Allow targets on this machine, as the local stack does."""
    with changed(ALLOW_LOOPBACK_WEBHOOKS="1"):
        yield


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], int]]:
    """Start a server whose connections are each given to a function; returns its port."""
    opened: list[Listener] = []

    def start(answer: Answer) -> int:
        opened.append(Listener(answer))
        return opened[-1].port

    yield start
    for listener in opened:
        listener.close()


@pytest.fixture
def receiver(loopback: None) -> Iterator[Receiver]:
    """A tenant's own server."""
    found = Receiver()
    yield found
    found.close()
