"""The WebSocket API: connect, message and disconnect events, `@connections`, and API Gateway's limits."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from chalice.app import Chalice
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from local.engines import aws_client
from local.gateway.sockets import Limits

KB = 1024


def socket_app() -> Any:
    app: Any = Chalice("toy", configure_logs=False, env={"AWS_REGION": "eu-west-1"})
    app.experimental_feature_flags.add("WEBSOCKETS")
    app.seen = queue.Queue()

    @app.on_ws_connect(name="opened")
    def opened(event: Any) -> Any:
        app.seen.put(event.to_dict())
        parameters = event.to_dict().get("queryStringParameters") or {}
        if parameters.get("ticket") == "broken":
            raise ValueError
        if parameters.get("ticket") != "good":
            return {"statusCode": 401}
        asked = event.to_dict()["headers"].get("sec-websocket-protocol")
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": asked} if asked else {}}

    @app.on_ws_message(name="spoken")
    def spoken(event: Any) -> None:
        app.seen.put(event.to_dict())

    @app.on_ws_disconnect(name="closed")
    def closed(event: Any) -> None:
        app.seen.put(event.to_dict())

    return app


@pytest.fixture
def site(serve: Any) -> Iterator[Any]:
    with serve(socket_app()) as site:
        yield site


@contextmanager
def client(site: Any, ticket: str = "good", **options: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{site.port}/ws?ticket={ticket}", proxy=None, **options) as connection:
        yield connection


def connections(site: Any) -> Any:
    return aws_client("apigatewaymanagementapi", f"http://127.0.0.1:{site.inner_port}/local")


def close_code(closed: ConnectionClosed) -> int | None:
    return closed.rcvd.code if closed.rcvd else None


def next_event(site: Any) -> Any:
    return site.app.seen.get(timeout=10)


def test_a_connection_lives_through_its_three_events(site):
    with client(site, subprotocols=["parley"]) as connection:
        assert connection.subprotocol == "parley"
        opened = next_event(site)
        connection.send('{"type": "ping"}')
        spoken = next_event(site)
    closed = next_event(site)
    assert [e["requestContext"]["eventType"] for e in (opened, spoken, closed)] == ["CONNECT", "MESSAGE", "DISCONNECT"]
    routes = [e["requestContext"]["routeKey"] for e in (opened, spoken, closed)]
    assert routes == ["$connect", "$default", "$disconnect"]
    assert len({e["requestContext"]["connectionId"] for e in (opened, spoken, closed)}) == 1
    assert opened["queryStringParameters"] == {"ticket": "good"}
    assert spoken["body"] == '{"type": "ping"}'
    assert closed["requestContext"]["disconnectStatusCode"] == 1000


@pytest.mark.parametrize(("ticket", "status"), [("bad", 401), ("broken", 500)])
def test_a_refused_handshake_has_the_handlers_status(site, ticket, status):
    with pytest.raises(InvalidStatus) as refused, client(site, ticket):
        pass
    assert refused.value.response.status_code == status


def test_an_app_without_socket_handlers_refuses_everyone(toy):
    with pytest.raises(InvalidStatus) as refused, client(toy):
        pass
    assert refused.value.response.status_code == 403


def test_another_path_is_refused(site):
    url = f"ws://127.0.0.1:{site.port}/other?ticket=good"
    with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None):
        pass
    assert refused.value.response.status_code == 403


class TestConnectionsApi:
    def test_it_sends_tells_and_ends(self, site):
        api = connections(site)
        with client(site) as connection:
            connection_id = next_event(site)["requestContext"]["connectionId"]
            api.post_to_connection(ConnectionId=connection_id, Data='{"ü": 1}'.encode())
            assert connection.recv(timeout=10) == '{"ü": 1}'
            info = api.get_connection(ConnectionId=connection_id)
            assert info["Identity"]["SourceIp"] == "127.0.0.1"
            assert info["LastActiveAt"] >= info["ConnectedAt"]
            api.delete_connection(ConnectionId=connection_id)
            with pytest.raises(ConnectionClosed):
                connection.recv(timeout=10)

    def test_a_connection_that_ended_is_gone(self, site):
        api = connections(site)
        with client(site):
            connection_id = next_event(site)["requestContext"]["connectionId"]
        next_event(site)  # $disconnect
        for call in (api.get_connection, api.delete_connection):
            with pytest.raises(api.exceptions.GoneException):
                call(ConnectionId=connection_id)
        with pytest.raises(api.exceptions.GoneException):
            api.post_to_connection(ConnectionId=connection_id, Data=b"x")

    def test_a_message_over_128_kb_is_refused(self, site):
        api = connections(site)
        with client(site):
            connection_id = next_event(site)["requestContext"]["connectionId"]
            with pytest.raises(api.exceptions.PayloadTooLargeException):
                api.post_to_connection(ConnectionId=connection_id, Data=b"x" * (128 * KB + 1))


class TestLimits:
    def test_a_frame_over_32_kb_closes_the_connection(self, site):
        with client(site) as connection:
            next_event(site)
            connection.send("x" * (32 * KB))
            assert len(next_event(site)["body"]) == 32 * KB
            connection.send("x" * (32 * KB + 1))
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=10)
        assert close_code(closed.value) == 1009

    def test_a_message_over_128_kb_closes_the_connection(self, site):
        with client(site) as connection:
            next_event(site)
            connection.send(["x" * (30 * KB)] * 4)
            assert len(next_event(site)["body"]) == 120 * KB
            connection.send(["x" * (30 * KB)] * 5)
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=10)
        assert close_code(closed.value) == 1009

    @pytest.mark.parametrize("limits", [Limits(idle_seconds=0.05), Limits(connection_seconds=0.05)])
    def test_time_limits_close_the_connection(self, site, limits):
        site.gateway.sockets.limits = limits
        with client(site) as connection, pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=10)
        assert close_code(closed.value) == 1001
        assert [next_event(site)["requestContext"]["eventType"] for _ in range(2)] == ["CONNECT", "DISCONNECT"]
