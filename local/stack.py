"""The supervisor: takes the port and the data folder, starts the parts, serves the gateway, stops everything."""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import uvloop

from local.engines import AWS_REGION, aws_client
from local.environment import FILES_BUCKET, FILES_PATH, STAGE
from local.files import FilesDoor
from local.gateway import Gateway
from local.gateway.inner import InnerApi
from local.kinds import AsgiApp, ChaliceApp, Receive, Scope, Send
from local.mail import Mailbox, MailPage, serve_smtp
from local.parts import Parts, start_parts
from local.processes import LOOPBACK, StartFailed
from local.queues import QueuePump
from local.schedules import SchedulePump
from local.server import listen, serve_http
from local.stripe_double.door import StripeDoor
from local.stripe_double.double import StripeDouble
from local.stripe_double.hooks import listen as listen_to_stripe
from local.stripe_double.paths import PATH as STRIPE_PATH
from local.stripe_double.sending import HookSender
from local.welcome import welcome

LOG_BYTES = 20 * 1024 * 1024  # a log larger than this is put aside at the next start
log = logging.getLogger("local.stack")


@dataclass(frozen=True)
class Settings:
    """What the person who runs the stack may choose."""

    port: int
    data: Path
    seed: bool

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


def run(settings: Settings) -> int:
    """Run in the foreground until SIGINT or SIGTERM; returns the exit code. Raises StartFailed."""
    started = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGINT):  # until the loop runs, both end the start-up at once
        signal.signal(number, _interrupt)
    with ExitStack() as cleanup:
        public = listen(settings.port)
        cleanup.callback(public.close)
        _make_folder(settings.data)
        cleanup.enter_context(_lock(settings.data))
        console = cleanup.enter_context(_logging(settings.data / "logs"))
        smtp, inner = listen(0), listen(0)
        parts = start_parts(
            cleanup,
            settings.data,
            base_url=settings.base_url,
            smtp_port=smtp.getsockname()[1],
            inner_port=inner.getsockname()[1],
            say=lambda text: print(text, file=console, flush=True),
        )
        mailbox = Mailbox(settings.data / "mails.jsonl")
        cleanup.callback(mailbox.close)
        stack = _Stack(settings, parts, mailbox, console, started)
        return uvloop.run(stack.serve(public, inner, smtp))


class _Stack:
    """Everything that runs on the event loop."""

    def __init__(self, settings: Settings, parts: Parts, mailbox: Mailbox, console: TextIO, started: float) -> None:
        self._settings = settings
        self._parts = parts
        self._mailbox = mailbox
        self._console = console
        self._started = started
        self._stop = asyncio.Event()
        self._exit_code = 0

    async def serve(self, public: socket.socket, inner: socket.socket, smtp: socket.socket) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if _interrupted.is_set():
            self._stop.set()
        app = _import_app()
        files = FilesDoor(self._parts.ministack, FILES_BUCKET, FILES_PATH)
        stripe = self._open_stripe()
        stripe_door = StripeDoor(stripe)
        pages: dict[str, AsgiApp] = {
            "/": _to_reference,
            "/_local/mail": MailPage(self._mailbox),
            STRIPE_PATH: stripe_door,
            f"/{STRIPE_PATH.split('/')[1]}/": stripe_door,
            FILES_PATH: files,
            f"{FILES_PATH}/": files,
        }
        gateway = Gateway(app, stage=STAGE, region=AWS_REGION, pages=pages)
        gateway.ready = False
        async with (
            _smtp(self._mailbox, smtp),
            serve_http(InnerApi(gateway), inner),
            serve_http(gateway, public),
            self._pumps(app, stripe) as start_pumps,
        ):
            watch = asyncio.create_task(self._watch())
            begin = asyncio.create_task(self._begin(gateway, app, start_pumps))
            await self._stop.wait()
            watch.cancel()
            begin.cancel()
        return self._exit_code

    async def _begin(self, gateway: Gateway, app: ChaliceApp, start_pumps: Callable[[], None]) -> None:
        """Put the plans and the demo data in, then let the world see that the stack is ready.

        What they leave to the queues can wait: the pumps would only take the time that they need themselves.
        """
        demo = self._settings.data / "demo.json"
        plans = asyncio.create_task(asyncio.to_thread(self._offer_plans))
        if self._settings.seed and not demo.exists():
            await asyncio.to_thread(self._seed)
        elif demo.exists():
            from local.demo import refresh

            refresh(self._settings.data, self._settings.base_url)
        await plans
        start_pumps()
        gateway.ready = True
        self._say(welcome(self._settings.base_url, self._settings.data, set(app.routes), demo))
        log.info("ready after %.1f s", time.monotonic() - self._started)

    def _seed(self) -> None:
        try:
            from local.demo import seed
        except ModuleNotFoundError as error:
            if error.name != "local.demo":
                raise
            log.info("this version has no demo data")
            return
        try:
            seed(self._settings.data, self._settings.base_url)
        except Exception:
            log.exception("the demo data could not be made")
            self._say(f"The demo data could not be made; see {self._settings.data / 'logs' / 'parley.log'}")

    def _offer_plans(self) -> None:
        if os.environ["PARLEY_BILLING"] != "stripe":
            return
        from chalicelib.billing.offering import offer_plans

        try:
            offer_plans()
        except Exception:
            log.exception("the plans could not be put into Stripe's double")
            self._say(f"Billing does not work; see {self._settings.data / 'logs' / 'parley.log'}")

    async def _watch(self) -> None:
        """A part that ends takes the stack with it: half a stack only confuses."""
        while all(child.exit_code is None for child in self._parts.children):  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.5)
        for child in self._parts.children:
            if child.exit_code is not None:
                self._say(f"{child.name} ended unexpectedly (exit code {child.exit_code}); see {child.log}")
        self._exit_code = 1
        self._stop.set()

    @contextlib.asynccontextmanager
    async def _pumps(self, app: ChaliceApp, stripe: StripeDouble) -> AsyncIterator[Callable[[], None]]:
        """Make what serves queues, schedules and hooks; yields what starts them, and stops them in the end."""
        sqs = aws_client("sqs", self._parts.ministack)
        queues = QueuePump(app, sqs, stage=STAGE, region=AWS_REGION)
        schedules = SchedulePump(app, stage=STAGE, region=AWS_REGION)
        hooks = HookSender(stripe)

        def start() -> None:
            for pump in (queues, schedules, hooks):
                pump.start()

        try:
            yield start
        finally:
            schedules.stop()
            await asyncio.to_thread(hooks.stop)
            await asyncio.to_thread(queues.stop)
            stripe.close()

    def _open_stripe(self) -> StripeDouble:
        """Take the account up where it was left, with its hooks coming here."""
        url, file = self._settings.base_url, self._settings.data / "stripe.sqlite"
        stripe = StripeDouble(file, pages_url=url + STRIPE_PATH)
        listen_to_stripe(stripe.account, f"{url}/hooks/stripe", self._parts.hook_secret)
        return stripe

    def _say(self, text: str) -> None:
        print(text, file=self._console, flush=True)


@contextlib.asynccontextmanager
async def _smtp(mailbox: Mailbox, sock: socket.socket) -> AsyncIterator[None]:
    server = await serve_smtp(mailbox, sock)
    try:
        yield
    finally:
        server.close()


async def _to_reference(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Lead who opens the address that the terminal shows to the reference; a deployed API has nothing there."""
    await send({"type": "http.response.start", "status": 302, "headers": [(b"location", b"/docs")]})
    await send({"type": "http.response.body", "body": b""})


def _import_app() -> ChaliceApp:
    try:
        from app import app
    except Exception as error:
        log.exception("app.py cannot be imported")
        raise StartFailed(f"app.py cannot be imported: {error!r}") from error
    return app


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
        (data / "lock").touch()
    except OSError as error:
        raise StartFailed(f"{data} cannot hold the data: {error.strerror}. Choose a folder with PARLEY_DATA") from error


@contextlib.contextmanager
def _lock(data: Path) -> Iterator[None]:
    """Keep a second stack off this folder; the kernel frees it however this process ends."""
    with (data / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartFailed(
                f"Another stack is using the data in {data}. Stop it, or choose another folder:"
                " PARLEY_DATA=.local-2 PORT=8100 make run"
            ) from None
        yield


@contextlib.contextmanager
def _logging(folder: Path) -> Iterator[TextIO]:
    """Send what this process prints and logs to parley.log; yields the terminal, for the few words meant for people."""
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.log"):
        if file.stat().st_size > LOG_BYTES:
            file.replace(file.with_suffix(".log.1"))
    terminal = sys.stdout
    with (
        (folder / "parley.log").open("a", buffering=1) as out,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        handler = logging.StreamHandler(out)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger("local").setLevel(logging.INFO)
        logging.getLogger().addHandler(handler)
        yield terminal


# An interrupt that comes while Python runs a finalizer is printed and forgotten: this remembers it.
_interrupted = threading.Event()


def _interrupt(_number: int, _frame: object) -> None:
    _interrupted.set()
    raise KeyboardInterrupt
