"""Exports of whole tenants for tests."""

import gzip
import json
from typing import Any

from tests.support.aws import Services
from tests.support.client import Client
from tests.support.csv_files import ended
from tests.support.tenants import Organisation

Line = dict[str, Any]


def export_of(tenant: Organisation) -> str:
    """Return the address that starts one."""
    return f"{tenant.url}/export"


def lines_of(services: Services, job: dict[str, Any]) -> list[Line]:
    """Return the lines of the file that a job has made."""
    return [json.loads(line) for line in text_of(services, job).splitlines()]


def text_of(services: Services, job: dict[str, Any]) -> str:
    """Return the text of the file that a job has made."""
    key = job["download_url"].removeprefix("https://files.test/").partition("?")[0]
    return gzip.decompress(services.objects.data(key)).decode()


def exported(tenant: Organisation, services: Services, client: Client | None = None) -> list[Line]:
    """Export a tenant; returns the lines of the file."""
    client = client or tenant.owner.client
    return lines_of(services, ended(client, services, client.post(export_of(tenant))))
