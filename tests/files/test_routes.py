"""Files: upload, direct upload, retrieve, list, delete, and the same for visitors. Hostile ones: test_inspection."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app import sweep_files
from chalicelib.core import ids
from tests.support.answers import rows, without_request_id
from tests.support.chats import new_chat, new_site, new_test_site, unique
from tests.support.client import form_of
from tests.support.clocks import later
from tests.support.files import FILES, OWN_FILES, pdf, png, posted, started, uploaded
from tests.support.queues import drain
from tests.support.schedules import tick
from tests.support.tenants import anonymous, new_key, new_member, new_tenant

START = {"name": "a.txt", "content_type": "text/plain", "size": 5}
DAY_MS = 86_400_000
WRITES: list[tuple[str, str, Any]] = [
    ("POST", "", None),
    ("POST", "/uploads", START),
    ("POST", "/{id}/complete", None),
    ("DELETE", "/{id}", None),
]
READS: list[tuple[str, str, Any]] = [("GET", "", None), ("GET", "/usage", None), ("GET", "/{id}", None)]
ON_ONE = [WRITES[2], WRITES[3], READS[2]]


@pytest.fixture
def owner(site):
    return site.owner.client


def send(client, method, path, body, file_id="", url=FILES):
    """Send a request; the one that takes a file gets one."""
    if (method, path) == ("POST", ""):
        return client.upload(url, b"hello")
    return client.send(method, url + path.replace("{id}", file_id), body)


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), [*WRITES, *READS])
    def test_anonymous_and_visitors_are_refused(self, owner, chat, method, path, body):
        file_id = uploaded(owner)["id"]
        assert send(anonymous(), method, path, body, file_id).status == 401
        assert send(chat.client, method, path, body, file_id).code == "wrong_credential"

    @pytest.mark.parametrize(("method", "path", "body"), ON_ONE)
    def test_another_tenants_is_like_a_missing_one(self, owner, method, path, body):
        stranger, found = new_tenant().owner.client, uploaded(owner)["id"]
        answers = [send(stranger, method, path, body, each) for each in (found, ids.new("fil"), "é")]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_viewers_and_reading_keys_cannot_write(self, site, owner, method, path, body):
        file_id = uploaded(owner)["id"]
        assert send(new_member(site, "viewer").client, method, path, body, file_id).code == "insufficient_role"
        key = new_key(site, scopes=["files:read"])
        assert send(key, method, path, body, file_id).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), [*WRITES, *READS])
    def test_agents_and_keys_can(self, site, owner, method, path, body):
        scope = "files:read" if method == "GET" else "files:write"
        for caller in (new_member(site, "agent").client, new_key(site, scopes=[scope])):
            assert send(caller, method, path, body, uploaded(owner)["id"]).status in {200, 201, 204}

    def test_test_data_has_files_of_its_own(self, site, owner):
        key, _ = new_test_site(site)
        file_id = uploaded(key)["id"]
        assert owner.get(f"{FILES}/{file_id}").status == 404
        assert key.get(f"{FILES}/{file_id}").status == 200


class TestUpload:
    def test_the_bytes_arrive_as_they_were_sent(self, services, owner):
        data = bytes(range(256)) * 500
        found = uploaded(owner, data, "data.bin", "application/x-thing")
        (key,) = services.objects.present()
        assert services.objects.data(key) == data
        assert (found["status"], found["size"], found["name"]) == ("ready", len(data), "data.bin")
        assert found["content_type"] == "application/octet-stream"

    def test_what_is_found_counts_and_not_what_is_claimed(self, owner):
        found = uploaded(owner, png(7, 5), "photo.jpg", "image/jpeg")
        assert (found["content_type"], found["width"], found["height"]) == ("image/png", 7, 5)

    def test_a_link_names_type_and_disposition_and_is_signed_for_a_quarter_of_an_hour(self, owner):
        for data, name, expected in (
            (png(), "é.png", "inline; filename=\"e.png\"; filename*=UTF-8''%C3%A9.png"),
            (pdf(), "a.pdf", "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf"),
        ):
            url = urlsplit(uploaded(owner, data, name)["download_url"])
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            assert url.netloc == "files.test"
            assert query["response-content-disposition"] == expected
            assert query["X-Amz-Expires"] == "900"
            assert len(query["X-Amz-Signature"]) == 64

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("../../etc/passwd.txt", "passwd.txt"),
            ("C:\\fakepath\\a.txt", "a.txt"),
            ("invoice\u202etxt.fdp", "invoicetxt.fdp"),
            ("a\r\nSet-Cookie: b=c.txt", None),
            ("...", "file"),
            ("x" * 500 + ".txt", "x" * 116 + ".txt"),
            ('q"<>|?*.txt', "q______.txt"),
        ],
    )
    def test_a_name_is_made_harmless(self, owner, sent, kept):
        answer = owner.upload(FILES, b"hello", sent.replace('"', "%22") if kept else sent)
        if kept is None:
            assert answer.status == 422  # what follows the line end is no part of the name
        else:
            assert answer.json["name"].replace("%22", "_") == kept

    def test_4_mb_are_taken_and_a_byte_more_is_told_the_direct_way(self, owner):
        limit = 4 * 1024 * 1024
        assert uploaded(owner, b"a" * limit)["size"] == limit
        answer = owner.upload(FILES, b"a" * (limit + 1))
        assert answer.status == 413
        assert "uploads" in answer.json["error"]["message"]

    @pytest.mark.parametrize(
        ("parts", "code"),
        [
            ([], "required"),
            ([("file", "a.txt", "text/plain", b"")], "empty"),
            ([("file", None, "text/plain", b"a")], "not_a_file"),
            ([("file", "a.txt", "text/plain", b"a")] * 2, "too_many"),
            ([("other", "a.txt", "text/plain", b"a")], "unknown_field"),
        ],
    )
    def test_anything_but_one_file_is_refused(self, owner, parts, code):
        form, kind = form_of(parts)
        answer = owner.send("POST", FILES, form, {"Content-Type": kind})
        assert (answer.status, answer.json["error"]["errors"][0]["code"]) == (422, code)

    def test_what_is_no_form_is_415_and_half_a_form_400(self, owner):
        form, kind = form_of([("file", "a.txt", "text/plain", b"hello")])
        assert owner.post(FILES, {"file": "hello"}).status == 415
        assert owner.send("POST", FILES, form, {"Content-Type": "multipart/form-data"}).status == 415
        for cut in (10, len(form) // 2, len(form) - 6):
            assert owner.send("POST", FILES, form[:cut], {"Content-Type": kind}).status == 400

    def test_a_repeated_upload_is_one_file_though_the_boundary_differs(self, services, owner):
        key = unique()
        first, second = (owner.upload(FILES, b"hello", Idempotency_Key=key) for _ in range(2))
        assert second.headers["Idempotency-Replayed"] == "true"
        assert first.json["id"] == second.json["id"]
        assert len(services.objects.present()) == 1
        reused = owner.upload(FILES, b"other", Idempotency_Key=key)
        assert reused.json["error"]["errors"][0]["code"] == "idempotency_key_reused"

    def test_nothing_is_kept_of_a_refused_file(self, services, owner):
        answer = owner.upload(FILES, b"<script>alert(1)</script>", "a.txt")
        assert (answer.status, answer.code) == (422, "active_content")
        assert services.objects.present() == []
        assert owner.get(FILES).json["pagination"]["total"] == 0


class TestDirectUpload:
    def test_the_form_fixes_key_type_and_size(self, owner):
        begun = started(owner, pdf(), "a.pdf", "application/pdf")
        assert begun["status"] == "pending"
        assert begun["fields"]["Content-Type"] == "application/pdf"
        assert begun["fields"]["key"].endswith(begun["id"])

    @pytest.mark.parametrize(
        ("changed", "params"),
        [
            ({"size": 25 * 1024 * 1024 + 1}, {"size"}),
            ({"size": 0, "name": ""}, {"size", "name"}),
            ({"content_type": "nothing"}, {"content_type"}),
            ({"content_type": "text/html"}, {"content_type"}),
            ({"name": "page.html"}, {"name"}),
            ({"name": "setup.exe"}, {"name"}),
            ({"name": "a.svg"}, {"name"}),
            ({"what": 1}, {"what"}),
        ],
    )
    def test_what_cannot_be_taken_is_refused_before_it_is_sent(self, owner, changed, params):
        answer = owner.post(f"{FILES}/uploads", START | changed)
        assert (answer.status, answer.params) == (422, params)

    def test_a_completed_one_is_ready(self, services, owner):
        data = png(9, 9) * 1
        file_id = posted(services, owner, data, "a.png", "image/png")
        assert owner.get(f"{FILES}/{file_id}").json["download_url"] is None
        answer = owner.post(f"{FILES}/{file_id}/complete")
        assert (answer.status, answer.json["status"], answer.json["width"]) == (200, "ready", 9)
        assert owner.post(f"{FILES}/{file_id}/complete").json["id"] == file_id

    def test_one_that_was_not_sent_cannot_be_completed(self, owner):
        begun = started(owner, b"hello")
        assert owner.post(f"{FILES}/{begun['id']}/complete").code == "not_uploaded"

    def test_bytes_sent_after_completion_have_no_effect(self, services, owner):
        file_id = posted(services, owner, b"hello")
        owner.post(f"{FILES}/{file_id}/complete")
        (served,) = [key for key in services.objects.present() if key.startswith("files/")]
        services.objects.post(f"incoming/{served.split('/')[1]}/{file_id}", b"<svg>")
        assert owner.post(f"{FILES}/{file_id}/complete").json["status"] == "ready"
        assert services.objects.data(served) == b"hello"

    def test_bytes_exchanged_while_they_are_looked_at_are_not_the_ones_kept(self, services, owner):
        data = b"good " * 20_000
        file_id = posted(services, owner, data)
        key = next(iter(services.objects.present()))
        read = services.objects._get_object

        def exchanging(**params):
            services.objects.post(key, b"<script>alert(1)</script>".ljust(len(data)))
            return read(**params)

        services.objects._get_object = exchanging
        assert owner.post(f"{FILES}/{file_id}/complete").status == 200
        (served,) = [each for each in services.objects.present() if each.startswith("files/")]
        assert services.objects.data(served) == data

    def test_a_refused_one_stays_refused_and_has_no_link(self, services, owner):
        file_id = posted(services, owner, b"MZ\x90\x00" + bytes(100), "a.bin", "application/octet-stream")
        for _ in range(2):
            answer = owner.post(f"{FILES}/{file_id}/complete")
            assert (answer.status, answer.code) == (422, "executable")
        found = owner.get(f"{FILES}/{file_id}?download=1")
        assert (found.status, found.json["status"], found.json["refused_for"]) == (200, "refused", "executable")
        assert found.json["download_url"] is None

    def test_another_size_than_announced_is_refused(self, services, owner):
        begun = started(owner, b"hello")
        services.objects.post(begun["fields"]["key"], b"hello!")
        assert owner.post(f"{FILES}/{begun['id']}/complete").code == "size_differs"

    def test_what_hides_at_the_end_of_a_large_file_is_found(self, services, owner):
        data = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(300_000) + b"<script>alert(1)</script>"
        file_id = posted(services, owner, data, "a.jpg", "image/jpeg")
        assert owner.post(f"{FILES}/{file_id}/complete").code == "polyglot"

    def test_a_repeated_beginning_is_one_upload(self, owner):
        key = unique()
        first, second = (owner.post(f"{FILES}/uploads", START, Idempotency_Key=key) for _ in range(2))
        assert first.json == second.json


class TestRetrieve:
    def test_it_goes_to_the_bytes_where_json_is_not_wanted(self, owner):
        url = f"{FILES}/{uploaded(owner)['id']}"
        for answer in (owner.get(f"{url}?download=1"), owner.get(url, Accept="image/png,image/*")):
            assert answer.status == 302
            assert answer.headers["Location"].startswith("https://files.test/files/")
        for accept in ("application/json", "*/*", "text/html, */*;q=0.1"):
            assert owner.get(url, Accept=accept).status == 200

    def test_download_must_be_a_yes_or_no(self, owner):
        assert owner.get(f"{FILES}/{uploaded(owner)['id']}?download=perhaps").params == {"download"}


class TestList:
    def test_newest_first_and_only_what_is_ready(self, services, owner):
        made = [uploaded(owner, name=f"{number}.txt")["id"] for number in range(5)]
        started(owner, b"hello")
        drain(services)
        assert [row["id"] for row in rows(owner, f"{FILES}?limit=2")] == made[::-1]
        assert owner.get(f"{FILES}?limit=2").json["pagination"]["total"] == 5


class TestUsage:
    def test_files_and_bytes_are_counted_once_whatever_is_dispatched_twice(self, services, owner):
        first = uploaded(owner, b"12345")["id"]
        uploaded(owner, b"123")
        drain(services)
        assert owner.get(f"{FILES}/usage").json == {"files": 2, "bytes": 8}
        owner.delete(f"{FILES}/{first}")
        drain(services)
        assert owner.get(f"{FILES}/usage").json == {"files": 1, "bytes": 3}


class TestDelete:
    def test_it_is_gone_and_so_are_its_bytes(self, services, owner):
        file_id = uploaded(owner)["id"]
        assert owner.delete(f"{FILES}/{file_id}").status == 204
        assert owner.get(f"{FILES}/{file_id}").status == 404
        assert owner.delete(f"{FILES}/{file_id}").status == 404
        drain(services)
        assert services.objects.present() == []
        assert owner.get(FILES).json["data"] == []


class TestOrphans:
    def test_what_nothing_has_taken_up_within_a_day_is_deleted(self, services, owner):
        ready, refused = uploaded(owner)["id"], posted(services, owner, b"MZ" + bytes(9))
        begun, sent = started(owner, b"hello")["id"], posted(services, owner, b"hello")
        owner.post(f"{FILES}/{refused}/complete")
        with later(DAY_MS - 60_000):
            tick(sweep_files)
        assert owner.get(f"{FILES}/{ready}").status == 200
        with later(DAY_MS + 60_000):
            tick(sweep_files)
            drain(services)
        assert {owner.get(f"{FILES}/{each}").status for each in (ready, refused, begun, sent)} == {404}
        assert services.objects.present() == []
        assert owner.get(f"{FILES}/usage").json == {"files": 0, "bytes": 0}

    def test_what_a_message_has_taken_up_stays(self, services, owner, chat):
        file_id = uploaded(owner)["id"]
        conversation = chat.begin()
        url = f"/v1/conversations/{conversation}/messages"
        assert owner.post(url, {"attachments": [file_id]}).status == 201
        with later(2 * DAY_MS):
            tick(sweep_files)
            drain(services)
        assert owner.get(f"{FILES}/{file_id}").status == 200


class TestVisitors:
    def test_anonymous_agents_and_other_sites_are_refused(self, owner, chat):
        assert anonymous().upload(OWN_FILES, b"hello").status == 401
        assert owner.upload(OWN_FILES, b"hello").code == "wrong_credential"
        assert chat.client.using(Origin="https://evil.example").upload(OWN_FILES, b"a").code == "origin_not_allowed"

    def test_a_visitor_sends_and_sees_his_own_files(self, services, chat):
        found = uploaded(chat.client, png(), "a.png", url=OWN_FILES)
        assert chat.client.get(f"{OWN_FILES}/{found['id']}").json["status"] == "ready"
        assert chat.client.get(f"{OWN_FILES}/{found['id']}?download=1").status == 302
        begun = started(chat.client, b"hello", url=OWN_FILES)
        services.objects.post(begun["fields"]["key"], b"hello")
        assert chat.client.post(f"{OWN_FILES}/{begun['id']}/complete").json["status"] == "ready"

    def test_another_visitors_and_the_agents_are_like_missing_ones(self, site, services, owner, chat):
        other = new_chat(site).client
        mine = [uploaded(chat.client, url=OWN_FILES)["id"], started(chat.client, b"hello", url=OWN_FILES)["id"]]
        answers = [other.get(f"{OWN_FILES}/{each}") for each in (*mine, uploaded(owner)["id"], ids.new("fil"), "x")]
        answers += [other.post(f"{OWN_FILES}/{each}/complete") for each in (*mine, ids.new("fil"))]
        answers.append(new_chat(new_site()).client.get(f"{OWN_FILES}/{mine[0]}"))
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    def test_too_many_an_hour_are_refused(self, chat, monkeypatch):
        from chalicelib.files import service

        monkeypatch.setattr(service, "VISITOR_UPLOADS", 2)
        with later(0):
            statuses = [chat.client.upload(OWN_FILES, b"hello").status for _ in range(3)]
        assert statuses == [201, 201, 429]

    def test_bad_input_is_refused(self, chat):
        assert chat.client.upload(OWN_FILES, b"<svg>", "a.svg").code == "active_content"
        assert chat.client.post(f"{OWN_FILES}/uploads", {}).params == {"name", "content_type", "size"}
