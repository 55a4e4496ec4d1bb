"""A toy Chalice app behind the real gateway on a real port, and the engines of the stack."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chalice.app import AuthResponse, Chalice, CORSConfig, Rate, Response

from local.gateway import Gateway
from local.gateway.inner import InnerApi
from local.ministack import start_ministack, wait_for_ministack
from local.server import listen, serve_http


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Site:
    """A gateway that listens."""

    gateway: Gateway
    app: Chalice
    port: int
    inner_port: int
    loop: asyncio.AbstractEventLoop

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **options: Any
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {}, **options)
            return read(connection)
        finally:
            connection.close()


def read(connection: http.client.HTTPConnection) -> Answer:
    answer = connection.getresponse()
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


@contextmanager
def serving(app: Chalice, **options: Any) -> Iterator[Site]:
    """Serve a Chalice app through the gateway, with the same server settings as the stack's."""
    public, inner = listen(0), listen(0)
    gateway = Gateway(app, **options)
    loop = asyncio.new_event_loop()
    up, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with AsyncExitStack() as servers:
            await servers.enter_async_context(serve_http(gateway, public))
            await servers.enter_async_context(serve_http(InnerApi(gateway), inner))
            up.set()
            await stop.wait()
        gateway.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    ports = public.getsockname()[1], inner.getsockname()[1]
    thread.start()
    assert up.wait(10)
    try:
        yield Site(gateway, app, *ports, loop)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


class ThreadSafeChalice(Chalice):
    """Views of the toy read the event, never `current_request`, which plain Chalice shares between threads."""

    def __init__(self) -> None:
        super().__init__("toy", configure_logs=False, env={})
        self.event = threading.local()
        self.authorized: list[str] = []  # what the authorizer was asked about
        self.waiting, self.go_on = threading.Event(), threading.Event()  # of the view that waits

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        self.event.now = event
        self.event.context = context
        return super().__call__(event, context)


def of_any_type(value: Any) -> Any:
    """Chalice's annotations are narrower than what it takes."""
    return value


def toy_app() -> ThreadSafeChalice:
    app = ThreadSafeChalice()
    app.api.binary_types.append("multipart/form-data")
    cors = CORSConfig(allow_origin="*", allow_headers=["X-Special"], max_age=600)
    every_type = ["application/json", "text/plain", "multipart/form-data", "application/octet-stream"]

    @app.authorizer(name="authorize", ttl_seconds=60)
    def authorize(request: Any) -> Any:
        app.authorized.append(request.token)
        if request.token == "boom":
            raise ValueError("database is down")
        if request.token == "list":
            return AuthResponse(routes=["*"], principal_id="p", context=of_any_type({"roles": ["a"]}))
        if not request.token.startswith("good"):
            raise Exception("Unauthorized")  # noqa: TRY002 - exactly what API Gateway wants
        routes = of_any_type([] if request.token == "good-but-denied" else ["*"])
        context = of_any_type({"admin": True, "level": 7, "name": "Ada"})
        return AuthResponse(routes=routes, principal_id="usr_1", context=context)

    @app.route("/echo", methods=["GET", "POST", "PUT"], cors=cors, content_types=every_type)
    def echo() -> Any:
        return app.event.now

    @app.route("/things/{thing}", methods=["GET"])
    def thing(thing: str) -> Any:
        return {"thing": thing, "resource": app.event.now["resource"]}

    @app.route("/things/special", methods=["GET"])
    def special() -> Any:
        return {"special": True}

    @app.route("/things/{thing}/parts/{part}", methods=["GET"])
    def part(thing: str, part: str) -> Any:
        return {"thing": thing, "part": part}

    @app.route("/any/{proxy+}", methods=["GET", "POST"])
    def greedy() -> Any:
        return app.event.now["pathParameters"]

    @app.route("/private/{thing}", methods=["GET", "POST"], authorizer=authorize, cors=True)
    def private(thing: str) -> Any:
        return app.event.now["requestContext"]["authorizer"]

    @app.route("/headers", methods=["GET"])
    def headers() -> Any:
        names = {"WWW-Authenticate": "Bearer", "Server": "toy", "Connection": "close", "Transfer-Encoding": "x"}
        return Response({}, {**names, "ETag": '"1"', "Set-Cookie": ["a=1", "b=2"]}, 201)

    @app.route("/picture", methods=["GET"])
    def picture() -> Any:
        return Response(bytes(range(256)), {"Content-Type": "image/png"})

    @app.route("/text", methods=["GET"])
    def text() -> Any:
        return Response("Grüße", {"Content-Type": "text/plain; charset=utf-8"})

    @app.route("/nothing", methods=["DELETE"])
    def nothing() -> Any:
        return Response("", status_code=204)

    @app.route("/wait", methods=["GET"])
    def wait() -> Any:
        app.waiting.set()
        app.go_on.wait(20)
        return {"waited": True}

    @app.route("/health/ready", methods=["GET"])
    def ready() -> Any:
        return {"ready": True}

    return app


@pytest.fixture(scope="module")
def _toy_site() -> Iterator[Site]:
    with serving(toy_app()) as site:
        yield site


@pytest.fixture
def toy(_toy_site: Site) -> Iterator[Site]:
    """The toy behind the gateway, as new."""
    app: Any = _toy_site.app
    app.authorized.clear()
    app.waiting.clear()
    app.go_on.clear()
    _toy_site.gateway.flush_authorizers()
    _toy_site.gateway.ready = True
    yield _toy_site
    app.go_on.set()


@pytest.fixture
def serve() -> Any:
    return serving


@pytest.fixture
def toy_application() -> Any:
    return toy_app


@pytest.fixture
def rate() -> Any:
    return Rate


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("ministack")
    with ExitStack() as cleanup:
        engine = start_ministack(folder, log=folder / "log")
        cleanup.callback(engine.stop)
        wait_for_ministack(engine)
        yield engine.endpoint
