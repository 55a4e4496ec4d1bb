"""A Chalice app with one route and nothing in it, served by the local gateway: what the machinery alone costs."""

import asyncio
import os
import sys

import uvloop
from chalice.app import Chalice

from local.gateway import Gateway
from local.server import listen, serve_http

app = Chalice("bare", configure_logs=False, env={})


@app.route("/bare")
def bare() -> dict[str, bool]:
    """Answer."""
    return {"ok": True}


async def serve(port: int) -> None:
    """Serve until killed; the parent sees to that."""
    async with serve_http(Gateway(app), listen(port)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
    uvloop.run(serve(int(sys.argv[1])))
