"""Files over HTTP as the stack serves them, and fifty hostile ones opened in a real browser."""

import html
import http.client
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.core import aws, ids
from chalicelib.core.config import settings
from chalicelib.files import s3_gateway
from chalicelib.files.names import disposition
from chalicelib.files.showing import object_prefix
from local.engines import AWS_REGION, CREDENTIAL, aws_client
from local.environment import FILES_PATH
from local.files import FilesDoor
from local.ministack import start_ministack, wait_for_ministack
from local.resources import make_bucket
from local.server import listen
from tests.support.aws import Services
from tests.support.browser import Browser, chromium, find_chromium
from tests.support.chats import ORIGIN, Chat, new_chat, new_site
from tests.support.client import form_of
from tests.support.files import FILES, OWN_FILES, pdf, png
from tests.support.hostile import HOSTILE, Hostile
from tests.support.serving import serving
from tests.support.tenants import Organisation

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("served-files")]
BUCKET = os.environ["PARLEY_FILES_BUCKET"]
SAFE = {
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def request(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, **options: Any) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers or {}, **options)
        found = connection.getresponse()
        return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
    finally:
        connection.close()


class Pages:
    """Pages without any protection: hostile files as they are claimed, and pages that embed an address."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}

    def put(self, content_type: str, body: bytes) -> str:
        path = f"/_test/{ids.new_ulid()}"
        self.pages[path] = (content_type, body)
        return path

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        content_type, body = self.pages.get(scope["path"], ("text/plain", b""))
        headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass
class World:
    """A stack on a port, and a tenant."""

    url: str
    pages: Pages
    tenant: Organisation
    chat: Chat
    services: Any

    def send(self, method: str, path: str, body: Any = None, kind: str = "application/json", **options: Any) -> Answer:
        own = self.tenant.owner.client
        headers = {"Authorization": f"Bearer {own.token}", "X-Tenant-ID": self.tenant.id, "Content-Type": kind}
        return request(method, self.url + path, body, headers, **options)

    def json(self, method: str, path: str, body: Any = None) -> Any:
        import json

        answer = self.send(method, path, None if body is None else json.dumps(body))
        assert answer.status < 300, answer.body
        return json.loads(answer.body)

    def upload(self, data: bytes, name: str, content_type: str = "text/plain") -> Answer:
        form, kind = form_of([("file", name, content_type, data)])
        return self.send("POST", FILES, form, kind)


@pytest.fixture(scope="module")
def world(engine: str, _secret: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from app import app

    ministack = start_ministack(tmp_path_factory.mktemp("s3"))
    wait_for_ministack(ministack)
    make_bucket(aws_client("s3", ministack.endpoint), BUCKET, AWS_REGION)
    services = Services(_secret)

    def only_s3(service: str, operation: str, params: Any, proceed: Any) -> Any:
        return proceed() if service == "s3" else services(service, operation, params, proceed)

    patch = pytest.MonkeyPatch()
    sock = listen(0)
    base = f"http://127.0.0.1:{sock.getsockname()[1]}"
    own = {"AWS_ENDPOINT_URL_S3": ministack.endpoint, "AWS_ACCESS_KEY_ID": CREDENTIAL}
    own |= {"AWS_SECRET_ACCESS_KEY": CREDENTIAL, "PARLEY_FILES_URL": base + FILES_PATH}
    own |= {"PARLEY_UPLOADS_URL": base + FILES_PATH, "AWS_DEFAULT_REGION": AWS_REGION}
    for name, value in own.items():
        patch.setenv(name, value)
    forget()
    aws.interceptors[:] = [only_s3]
    door, pages = FilesDoor(ministack.endpoint, BUCKET, FILES_PATH), Pages()
    with serving(app, {FILES_PATH: door, f"{FILES_PATH}/": door, "/_test/": pages}, sock) as url:
        tenant = new_site()
        yield World(url, pages, tenant, new_chat(tenant), only_s3)
    aws.interceptors.clear()
    patch.undo()
    forget()
    ministack.stop()


@pytest.fixture(autouse=True)
def _services(world: World) -> None:
    """Take the place of the stand-ins that other tests have."""
    aws.interceptors[:] = [world.services]


def forget() -> None:
    """What was made for other settings."""
    for cache in (settings, aws._client, aws._session, s3_gateway._place):
        cache.cache_clear()


class TestOverHttp:
    def test_bytes_go_in_and_out_unchanged_with_every_header(self, world):
        data = bytes(range(256)) * 4000
        answer = world.upload(data, "ä.bin")
        assert answer.status == 201, answer.body
        file_id = world.json("GET", FILES)["data"][0]["id"]
        url = world.json("GET", f"{FILES}/{file_id}")["download_url"]
        served = request("GET", url)
        assert (served.status, served.body) == (200, data)
        assert served.headers["content-type"] == "application/octet-stream"
        assert served.headers["content-disposition"] == "attachment; filename=\"a.bin\"; filename*=UTF-8''%C3%A4.bin"
        assert served.headers.items() >= SAFE.items()

    def test_a_chunked_upload_is_taken(self, world):
        form, kind = form_of([("file", "a.png", "image/png", png())])
        answer = world.send("POST", FILES, iter([form[:50], form[50:]]), kind, encode_chunked=True)
        assert answer.status == 201, answer.body

    def test_the_redirect_leads_to_the_bytes_and_ranges_are_served(self, world):
        world.upload(png(), "a.png")
        file_id = world.json("GET", FILES)["data"][0]["id"]
        there = world.send("GET", f"{FILES}/{file_id}?download=1").headers["location"]
        part = request("GET", there, headers={"Range": "bytes=1-3"})
        assert (part.status, part.body, part.headers["content-range"][:9]) == (206, b"PNG", "bytes 1-3")
        assert part.headers.items() >= SAFE.items()

    def test_what_is_not_signed_is_not_served(self, world):
        world.upload(png(), "a.png")
        url = world.json("GET", FILES)["data"][0]["download_url"]
        for bad in (url.partition("?")[0], url.replace("inline", "attachment"), url[:-1]):
            answer = request("GET", bad)
            assert answer.status == 403
            assert answer.headers.items() >= SAFE.items()
        assert request("PUT", url, b"x").status == 405
        assert request("POST", f"{world.url}{FILES_PATH}", b"x").status == 403

    def test_a_page_uploads_directly_and_completes(self, world):
        data = pdf() + b"%" * 5_000_000 + b"\n%%EOF"
        begun = world.json(
            "POST", f"{FILES}/uploads", {"name": "a.pdf", "content_type": "application/pdf", "size": len(data)}
        )
        for changed, body, expected in (
            ({"x-amz-signature": "0" * 64}, data, 403),
            ({"key": "files/x"}, data, 403),
            ({"Content-Type": "text/html"}, data, 403),
            ({}, data + b"!", 400),
            ({}, data, 204),
        ):
            fields = begun["fields"] | changed
            parts = [(name, None, "", value.encode()) for name, value in fields.items()]
            form, kind = form_of([*parts, ("file", "a.pdf", "application/pdf", body)])
            form = form.replace(b"Content-Type: \r\n", b"")
            answer = request("POST", begun["url"], form, {"Content-Type": kind, "Origin": ORIGIN})
            assert answer.status == expected, (changed, answer.body)
            assert answer.headers["access-control-allow-origin"] == "*"
        done = world.json("POST", f"{FILES}/{begun['id']}/complete")
        assert (done["status"], done["size"]) == ("ready", len(data))
        assert request("GET", done["download_url"]).body == data

    def test_a_form_used_again_after_completion_has_no_effect(self, world):
        begun = world.json("POST", f"{FILES}/uploads", {"name": "a.txt", "content_type": "text/plain", "size": 5})

        def post(data: bytes) -> int:
            parts = [(name, None, "", value.encode()) for name, value in begun["fields"].items()]
            form, kind = form_of([*parts, ("file", "a.txt", "text/plain", data)])
            form = form.replace(b"Content-Type: \r\n", b"")
            return request("POST", begun["url"], form, {"Content-Type": kind}).status

        assert post(b"hello") == 204
        world.json("POST", f"{FILES}/{begun['id']}/complete")
        assert post(b"<svg>") == 204
        done = world.json("POST", f"{FILES}/{begun['id']}/complete")
        assert request("GET", done["download_url"]).body == b"hello"

    def test_a_visitor_uploads_from_his_site(self, world):
        form, kind = form_of([("file", "a.png", "image/png", png())])
        headers = {"Authorization": f"Bearer {world.chat.client.token}", "Origin": ORIGIN, "Content-Type": kind}
        answer = request("POST", world.url + OWN_FILES, form, headers)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (201, ORIGIN)

    def test_more_than_lambda_takes_is_413(self, world):
        assert world.upload(b"a" * 5_000_000, "a.txt").status == 413


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not find_chromium():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    folder: Path = tmp_path_factory.mktemp("chromium")
    with chromium(folder) as found:
        yield found


def opened(world: World, browser: Browser, url: str) -> list[str]:
    """Open an address alone, in a frame, as an image, as a script, and as an object; returns where script ran."""
    safe = html.escape(url)
    embedded = {
        "frame": f'<iframe src="{safe}"></iframe>',
        "image": f'<img src="{safe}">',
        "script": f'<script src="{safe}"></script>',
        "object": f'<object data="{safe}"></object><embed src="{safe}">',
    }
    ways = {"alone": url} | {
        way: world.url + world.pages.put("text/html", f"<!doctype html>{text}".encode())
        for way, text in embedded.items()
    }
    return [way for way, address in ways.items() if browser.ran(address)]


class TestInABrowser:
    def test_without_protection_hostile_files_do_run(self, world, browser):
        """The test can fail: the same files, served as they are claimed."""
        claimed = [each for each in HOSTILE if each.runs]
        still = [
            each.label for each in claimed if not browser.ran(world.url + world.pages.put(each.content_type, each.data))
        ]
        assert still == []
        assert len(claimed) > 25
        framed = world.url + world.pages.put("text/html", HOSTILE[0].data)
        assert opened(world, browser, framed)[:2] == ["alone", "frame"]
        script = next(each for each in HOSTILE if each.name == "a.js")
        assert opened(world, browser, world.url + world.pages.put("text/javascript", script.data)) == ["script"]

    @pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: each.label)
    def test_a_hostile_upload_runs_nowhere(self, world, browser, hostile: Hostile):
        for name, content_type in ((hostile.name, hostile.content_type), ("photo.png", "image/png")):
            answer = world.upload(hostile.data, name, content_type)
            assert answer.status in {201, 422}, answer.body
            if answer.status == 201:
                import json

                assert opened(world, browser, json.loads(answer.body)["download_url"]) == []

    @pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: each.label)
    def test_even_one_that_inspection_let_through_runs_nowhere(self, world, browser, hostile: Hostile):
        """The second line: shown in the browser as whatever it is claimed to be, the headers alone hold it."""
        key = object_prefix(world.tenant.id, ids.new("fil")) + "x"
        s3_gateway.put(key, hostile.data, hostile.content_type)
        url = s3_gateway.link(key, hostile.content_type, disposition(hostile.name, inline=True), 60)
        # A page may run what is claimed to be a script: that is the page's own will. No file is ever kept as one.
        allowed = {"script"} if hostile.content_type == "text/javascript" else set()
        assert set(opened(world, browser, url)) <= allowed
