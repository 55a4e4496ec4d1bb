"""Imports and exports under crashes: the process dies after each AWS call, then everything is tried again."""

from typing import Any

from tests.support.chats import unique
from tests.support.client import Answer, Client
from tests.support.contacts import CONTACTS, new_contact, rows_left
from tests.support.crashes import AFTER, Scenario, enumerated
from tests.support.csv_files import EXPORT, IMPORT, rows_of, uploaded_csv
from tests.support.queues import drain
from tests.support.tenants import new_tenant

TEXT = """name,email,external_id
Kim,kim@example.com,1
Kim L.,kim@example.com,1
Bo,no address,2
Lee,,3
"""


class Started:
    """A job that is asked for again and again, with one Idempotency-Key."""

    def __init__(self, client: Client, url: str, body: dict[str, Any]) -> None:
        self.client, self.url, self.body, self.key = client, url, body, unique()
        self.id = ""

    def __call__(self) -> Answer:
        answer = self.client.post(self.url, self.body, Idempotency_Key=self.key)
        if answer.status == 202:
            self.id = answer.json["id"]
        return answer

    def ended(self) -> dict[str, Any]:
        job: dict[str, Any] = self.client.get(f"/v1/jobs/{self.id}").json
        assert job["status"] == "completed"
        return job


def test_each_row_is_imported_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_tenant()
        owner = tenant.owner.client
        start = Started(owner, IMPORT, {"file_id": uploaded_csv(owner, services, TEXT)})

        def check():
            job = start.ended()
            assert job["result"] == {"created": 2, "updated": 1, "refused": 1}
            assert [(row["line"], row["code"]) for row in rows_of(services, job)] == [("4", "invalid_email")]
            page = owner.get(CONTACTS).json
            assert sorted(row["name"] for row in page["data"]) == ["Kim L.", "Lee"]
            assert page["pagination"]["total"] == 2
            assert rows_left(tenant.id, start.id) == ["meta"]

        return Scenario(tenant.id, start, check)

    assert enumerated(scenario, services, AFTER) >= 20


def test_each_contact_is_exported_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_tenant()
        owner = tenant.owner.client
        for name in ("Ana", "Kim"):
            new_contact(owner, name)
        drain(services)
        start = Started(owner, EXPORT, {})

        def check():
            assert [row["name"] for row in rows_of(services, start.ended())] == ["Kim", "Ana"]
            assert rows_left(tenant.id, start.id) == ["meta"]

        return Scenario(tenant.id, start, check)

    assert enumerated(scenario, services, AFTER) >= 15
