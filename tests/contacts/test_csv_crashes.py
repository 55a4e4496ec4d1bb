"""Imports and exports under crashes: the process dies before or after each AWS call, then everything is tried again."""

from tests.support.chats import unique
from tests.support.contacts import CONTACTS, new_contact, rows_left
from tests.support.crashes import enumerated
from tests.support.csv_files import EXPORT, IMPORT, rows_of, uploaded_csv
from tests.support.queues import drain
from tests.support.tenants import new_tenant

TEXT = """name,email,external_id
Kim,kim@example.com,1
Kim L.,kim@example.com,1
Bo,no address,2
Lee,,3
"""


def job_of(owner, job_id):
    job = owner.get(f"/v1/jobs/{job_id}").json
    assert job["status"] == "completed"
    return job


def test_each_row_is_imported_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_tenant()
        owner, key, jobs = tenant.owner.client, unique(), set()
        body = {"file_id": uploaded_csv(owner, services, TEXT)}
        drain(services)

        def act():
            answer = owner.post(IMPORT, body, Idempotency_Key=key)
            assert answer.status == 202, answer.text
            jobs.add(answer.json["id"])
            drain(services)

        def check():
            (job_id,) = jobs
            job = job_of(owner, job_id)
            assert job["result"] == {"created": 2, "updated": 1, "refused": 1}
            assert [(row["line"], row["code"]) for row in rows_of(services, job)] == [("4", "invalid_email")]
            page = owner.get(CONTACTS).json
            assert sorted(row["name"] for row in page["data"]) == ["Kim L.", "Lee"]
            assert page["pagination"]["total"] == 2
            assert rows_left(tenant.id, job_id) == ["meta"]

        return act, check

    assert enumerated(scenario, services) >= 40


def test_each_contact_is_exported_once_wherever_the_process_dies(services):
    def scenario():
        tenant = new_tenant()
        owner, key, jobs = tenant.owner.client, unique(), set()
        for name in ("Ana", "Kim"):
            new_contact(owner, name)
        drain(services)

        def act():
            answer = owner.post(EXPORT, {}, Idempotency_Key=key)
            assert answer.status == 202, answer.text
            jobs.add(answer.json["id"])
            drain(services)

        def check():
            (job_id,) = jobs
            assert [row["name"] for row in rows_of(services, job_of(owner, job_id))] == ["Kim", "Ana"]
            assert rows_left(tenant.id, job_id) == ["meta"]

        return act, check

    assert enumerated(scenario, services) >= 30
