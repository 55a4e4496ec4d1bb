"""Every test here works on the real engine with stand-ins for the other services."""

import pytest

from chalicelib.webhooks import targets
from tests.support.aws import Services


@pytest.fixture(autouse=True)
def _services(services: Services) -> Services:
    return services


@pytest.fixture(autouse=True)
def _unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks are made here, and none is sent: no name has an address."""
    monkeypatch.setattr(targets, "_resolve", lambda _host, _port: [])
