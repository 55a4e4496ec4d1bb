"""Servers on this machine that a webhook can be sent to."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server whose connections are each given to a function; returns its port."""
    listeners: list[socket.socket] = []

    def start(answer: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_one, args=(connection, answer), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _one(connection: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    with connection:
        try:
            answer(connection)
        except OSError:
            return  # the other side has gone
