"""Files under crashes: the process dies before or after each AWS call, then everything is tried again."""

import app
from tests.support.chats import messages_of, new_chat, new_site, unique
from tests.support.clocks import later
from tests.support.crashes import AFTER, Scenario, enumerated
from tests.support.files import FILES
from tests.support.queues import drain
from tests.support.schedules import tick
from tests.support.tenants import new_key

DAY_MS = 90_000_000
START = {"name": "a.txt", "content_type": "text/plain", "size": 5}


def sweep(services):
    with later(DAY_MS):
        tick(app.sweep_files)
        drain(services)


def test_an_upload_is_one_file_and_leaves_nothing_behind_wherever_the_process_dies(services):
    def scenario():
        tenant, key = new_site(), unique()
        client = new_key(tenant)

        def act():
            answer = client.upload(FILES, b"hello", Idempotency_Key=key)
            assert answer.status == 201, answer.text

        def check():
            (row,) = client.get(FILES).json["data"]
            assert client.get(f"{FILES}/usage").json == {"files": 1, "bytes": 5}
            assert any(row["id"] in each for each in services.objects.present())
            sweep(services)
            assert client.get(f"{FILES}/usage").json == {"files": 0, "bytes": 0}
            assert services.objects.present() == []

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) > 5


def test_a_file_sent_directly_reaches_its_message_once_and_stays(services):
    def scenario():
        tenant, key = new_site(), unique()
        client, conversation = new_key(tenant), new_chat(tenant).begin()

        def act():
            begun = client.post(f"{FILES}/uploads", START, Idempotency_Key=key).json
            services.objects.post(begun["fields"]["key"], b"hello")
            assert client.post(f"{FILES}/{begun['id']}/complete").status == 200
            said = {"attachments": [begun["id"]], "client_msg_id": key}
            answer = client.post(f"/v1/conversations/{conversation}/messages", said)
            assert answer.status == 201, answer.text

        def check():
            sweep(services)
            (attached,) = [each["attachments"][0] for each in messages_of(client, conversation) if each["attachments"]]
            assert client.get(f"{FILES}/{attached['id']}").json["status"] == "ready"
            assert client.get(f"{FILES}/usage").json == {"files": 1, "bytes": 5}
            served = [each for each in services.objects.present() if each.startswith("files/")]
            assert any(each in attached["download_url"] for each in served)

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) > 7


def test_a_deleted_file_takes_its_bytes_along_wherever_the_process_dies(services):
    def scenario():
        tenant = new_site()
        client = new_key(tenant)
        file_id = client.upload(FILES, b"hello").json["id"]

        def act():
            assert client.delete(f"{FILES}/{file_id}").status in {204, 404}

        def check():
            assert services.objects.present() == []
            assert client.get(f"{FILES}/usage").json == {"files": 0, "bytes": 0}

        return Scenario(tenant.id, act, check)

    assert enumerated(scenario, services, AFTER) > 4
