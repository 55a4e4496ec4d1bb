"""The stand-in for S3 against a real server of it: one set of tests for both. Forms and links need the server."""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import auth
from botocore.compat import get_current_datetime

from chalicelib.core import aws
from chalicelib.core.config import settings
from chalicelib.files import s3_gateway
from local.engines import AWS_REGION, CREDENTIAL, aws_client
from local.ministack import start_ministack, wait_for_ministack
from local.resources import make_bucket
from tests.support.client import form_of
from tests.support.objects import Bucket

DATA = b"0123456789"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    engine = start_ministack(tmp_path_factory.mktemp("s3"))
    wait_for_ministack(engine)
    make_bucket(aws_client("s3", engine.endpoint), os.environ["PARLEY_FILES_BUCKET"], AWS_REGION)
    yield engine.endpoint
    engine.stop()


@pytest.fixture(params=["stand-in", pytest.param("server", marks=pytest.mark.stack)])
def bucket(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gateway work on one or the other."""
    if request.param == "server":
        use_server(request.getfixturevalue("server"), monkeypatch)
        return
    objects = Bucket()
    interceptor = lambda _service, operation, params, _proceed: objects(operation, params)  # noqa: E731
    monkeypatch.setattr(aws, "interceptors", [interceptor])


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    use_server(server, monkeypatch)
    return f"{server}/{settings().files_bucket}"


def use_server(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIAL)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
    aws._session.cache_clear()
    monkeypatch.setattr(aws, "interceptors", [])
    aws._client.cache_clear()
    s3_gateway._place.cache_clear()


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    aws._session.cache_clear()
    aws._client.cache_clear()
    s3_gateway._place.cache_clear()


class TestObjects:
    def test_what_is_not_there_is_not_found(self, bucket):
        assert s3_gateway.find("incoming/none") is None

    def test_a_part_is_that_of_the_version_found(self, bucket):
        s3_gateway.put("incoming/a", DATA, "text/plain")
        stored = s3_gateway.find("incoming/a")
        assert stored is not None
        s3_gateway.put("incoming/a", b"exchanged!", "text/plain")
        assert stored.size == 10
        assert s3_gateway.read(stored, 2, 3) == b"234"
        assert s3_gateway.read(stored, 0, 1000) == DATA
        assert s3_gateway.read_whole("incoming/a") == b"exchanged!"
        s3_gateway.copy(stored, "files/T/a/1", "image/png")
        copied = s3_gateway.find("files/T/a/1")
        assert copied is not None
        assert s3_gateway.read(copied, 0, 100) == DATA

    def test_everything_below_a_prefix_goes_and_nothing_else(self, bucket):
        for key in ("files/T/b/1", "files/T/b/2", "files/T/c/1"):
            s3_gateway.put(key, DATA, "text/plain")
        s3_gateway.delete_all("files/T/b/")
        s3_gateway.delete_all("files/T/b/")
        assert [bool(s3_gateway.find(f"files/T/{key}")) for key in ("b/1", "b/2", "c/1")] == [False, False, True]

    def test_an_object_is_made_of_parts_each_of_which_may_be_sent_again(self, bucket):
        key = "exports/T/job_1/people.csv"
        upload = s3_gateway.begin_parts(key, "text/csv; charset=utf-8")
        first = b"a" * (5 * 1024 * 1024)
        assert s3_gateway.put_part(key, upload, 1, first)
        assert s3_gateway.put_part(key, upload, 2, b"wrong")
        assert s3_gateway.put_part(key, upload, 2, b"last")
        assert s3_gateway.find(key) is None
        assert s3_gateway.join_parts(key, upload)
        stored = s3_gateway.find(key)
        assert stored is not None
        assert stored.size == len(first) + 4
        assert s3_gateway.read(stored, len(first) - 1, 10) == b"alast"
        assert not s3_gateway.put_part(key, upload, 1, first)
        assert not s3_gateway.join_parts(key, upload)


def test_an_object_may_have_more_parts_than_one_list_of_them(services, monkeypatch):
    monkeypatch.setattr("tests.support.objects.LEAST_PART", 1)
    upload = s3_gateway.begin_parts(key := "exports/T/job_1/acme.ndjson.gz", "application/gzip")
    for number in range(1, 2002):
        assert s3_gateway.put_part(key, upload, number, b"%d " % number)
    assert s3_gateway.join_parts(key, upload)
    assert services.objects.data(key).split() == [b"%d" % number for number in range(1, 2002)]


def post(url: str, fields: dict[str, str], data: bytes) -> int:
    """Post a form as a browser does; returns the status."""
    parts = [(name, None, "text/plain", value.encode()) for name, value in fields.items()]
    body, kind = form_of([*parts, ("file", "a.txt", fields["Content-Type"], data)])
    body = body.replace(b"Content-Type: text/plain\r\n\r\n", b"\r\n", len(parts)).replace(
        b'"\r\n\r\n\r\n', b'"\r\n\r\n'
    )
    return fetch(urllib.request.Request(url, body, {"Content-Type": kind}))[0]


def fetch(request: Any) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, error.read()


def ago(seconds: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let what is signed have been signed some time ago."""
    now = get_current_datetime
    then = lambda: now() - timedelta(seconds=seconds)  # noqa: E731
    monkeypatch.setattr(s3_gateway, "get_current_datetime", then)
    monkeypatch.setattr(auth, "get_current_datetime", then)


@pytest.mark.stack
class TestForm:
    KEY = "incoming/T/form"

    def form(self) -> Any:
        form = s3_gateway.upload_form(self.KEY, "text/plain", len(DATA), 3600)
        return SimpleNamespace(url=form.url, fields=dict(form.fields))

    def test_the_file_announced_is_taken(self, s3):
        form = self.form()
        assert form.url.rstrip("/") == s3
        assert post(form.url, form.fields, DATA) in {200, 204}
        stored = s3_gateway.find(self.KEY)
        assert stored is not None
        assert s3_gateway.read(stored, 0, 100) == DATA

    @pytest.mark.parametrize(
        ("changed", "data"),
        [
            ({"Content-Type": "text/html"}, DATA),
            ({"key": "incoming/T/another"}, DATA),
            ({"key": "files/T/a/1"}, DATA),
            ({}, DATA + b"!"),
            ({}, DATA[:-1]),
            ({"policy": "e30="}, DATA),
        ],
        ids=[
            "another type",
            "another key",
            "a key that is served",
            "a byte over",
            "a byte under",
            "policy",
        ],
    )
    def test_anything_else_is_refused(self, s3, changed, data):
        form = self.form()
        assert post(form.url, form.fields | changed, data) in {400, 403}

    def test_a_form_ends_with_its_hour(self, s3, monkeypatch):
        ago(3700, monkeypatch)
        form = self.form()
        assert post(form.url, form.fields, DATA) in {400, 403}


@pytest.mark.stack
class TestLink:
    KEY = "files/tn_1~test/fil_1/part"
    NAME = "attachment; filename=\"a.pdf\"; filename*=UTF-8''%C3%A4.pdf"

    def link(self, s3: str, seconds: int = 60) -> str:
        s3_gateway.put(self.KEY, DATA, "text/html")
        url = s3_gateway.link(self.KEY, "application/pdf", self.NAME, seconds)
        return url.replace(settings().files_url, s3)

    def test_it_serves_with_the_type_and_disposition_that_were_signed(self, s3):
        status, headers, data = fetch(self.link(s3))
        assert (status, data) == (200, DATA)
        assert headers["content-type"] == "application/pdf"
        assert headers["content-disposition"] == self.NAME

    def test_a_part_can_be_asked_for(self, s3):
        status, headers, data = fetch(urllib.request.Request(self.link(s3), headers={"Range": "bytes=2-4"}))
        assert (status, data, headers["content-range"]) == (206, b"234", "bytes 2-4/10")

    @pytest.mark.parametrize(
        ("old", "new"), [("pdf", "html"), ("attachment", "inline"), ("fil_1", "fil_2"), ("Expires=60", "Expires=6000")]
    )
    def test_nothing_of_it_can_be_changed(self, s3, old, new):
        url = self.link(s3)
        assert old in url
        assert fetch(url.replace(old, new, 1))[0] == 403

    def test_it_ends(self, s3, monkeypatch):
        ago(61, monkeypatch)
        assert fetch(self.link(s3))[0] == 403
