"""Endpoints of webhooks in a process of their own: some take what they get, others fail in all the ways there are.

`python -m bench.receivers healthy refuse hang …` prints their ports as JSON. Each line on its input is answered with
what has arrived: for each endpoint the number of requests and the distinct `webhook-id`s.
"""

import asyncio
import contextlib
import json
import socket
import struct
import sys
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
STATUSES = {"healthy": b"200 OK", "500": b"500 Oops", "410": b"410 Gone", "429": b"429 Slow\r\nRetry-After: 30"}
HANGS_SECONDS = 3600
DRIP_SECONDS = 0.2


@dataclass
class Endpoint:
    """One endpoint and what has come to it."""

    kind: str
    port: int = 0
    requests: int = 0
    ids: set[str] = field(default_factory=set)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Deal with one connection in its own way."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.kind == "reset":
                linger = struct.pack("ii", 1, 0)  # closing then resets
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            else:
                await self._read(reader)
                await self._write(writer)
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        await reader.readexactly(int(headers["content-length"]))
        self.requests += 1
        self.ids.add(headers["webhook-id"])

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        if self.kind == "hang":
            await asyncio.sleep(HANGS_SECONDS)
        if self.kind == "slow body":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
        writer.write(b"HTTP/1.1 " + STATUSES[self.kind] + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()


async def serve(kinds: list[str]) -> None:
    """Serve until the input ends."""
    endpoints = [Endpoint(kind) for kind in kinds]
    for each in endpoints:
        server = await asyncio.start_server(each.answer, LOOPBACK, 0, backlog=1000)
        each.port = server.sockets[0].getsockname()[1]
        if each.kind == "refuse":
            server.close()
    print(json.dumps([each.port for each in endpoints]), flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps([{"requests": each.requests, "ids": sorted(each.ids)} for each in endpoints]), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
