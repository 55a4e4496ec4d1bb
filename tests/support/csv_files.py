"""CSV files imported and exported for tests."""

import csv
import io
from typing import Any

from tests.support.aws import Services
from tests.support.client import Answer, Client
from tests.support.contacts import CONTACTS
from tests.support.files import posted
from tests.support.queues import drain

IMPORT, EXPORT = f"{CONTACTS}/import", f"{CONTACTS}/export"


def uploaded_csv(client: Client, services: Services, text: str | bytes, name: str = "people.csv") -> str:
    """Upload a file of whatever size; returns its id."""
    data = text.encode() if isinstance(text, str) else text
    file_id = posted(services, client, data, name, "text/csv")
    assert client.post(f"/v1/files/{file_id}/complete").status == 200
    return file_id


def start_import(client: Client, services: Services, text: str | bytes, **options: object) -> Answer:
    """Upload a file and ask for its import."""
    return client.post(IMPORT, {"file_id": uploaded_csv(client, services, text), **options})


def imported(client: Client, services: Services, text: str | bytes, **options: object) -> dict[str, Any]:
    """Import a file; returns the job at its end."""
    return ended(client, services, start_import(client, services, text, **options))


def exported(client: Client, services: Services, **filters: object) -> list[dict[str, str]]:
    """Export contacts; returns the rows of the file."""
    return rows_of(services, ended(client, services, client.post(EXPORT, filters)))


def ended(client: Client, services: Services, answer: Answer) -> dict[str, Any]:
    """Let a job that was begun end, and return it."""
    assert answer.status == 202, answer.text
    drain(services)
    job: dict[str, Any] = client.get(f"/v1/jobs/{answer.json['id']}").json
    assert job["status"] == "completed"
    return job


def file_of(services: Services, job: dict[str, Any]) -> str:
    """Return the text of the file that a job has made."""
    key = job["download_url"].removeprefix("https://files.test/").partition("?")[0]
    return services.objects.data(key.replace("%20", " ")).decode()


def rows_of(services: Services, job: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the file that a job has made; none if it has made none."""
    if job["download_url"] is None:
        return []
    return list(csv.DictReader(io.StringIO(file_of(services, job).removeprefix("\ufeff"), newline="")))
