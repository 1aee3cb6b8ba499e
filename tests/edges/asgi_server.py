# An ASGI server in memory: it gives prepared messages, takes all, and notes both.
#
# A probe between the middleware and the application notes what the application sees
# and does. It is there bare and wrapped, so that both traces can be compared.
import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from tests.edges.tracing import Step, Trace, plain

__all__ = ["App", "AsgiServer", "Message", "Receive", "Scope", "Send", "http_scope"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[Any]]
Wrap = Callable[[Any], Any]

_SECONDS = 20  # until a test gives up on an application that hangs

SEEN: ContextVar[str] = ContextVar("SEEN", default="nothing")


def http_scope(**changes: Any) -> dict[str, Any]:
    """Return the scope of a GET request, but for `changes`."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"q=1&q=2",
        "root_path": "",
        "headers": [(b"host", b"example.org"), (b"cookie", b"a=1")],
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 80),
        "state": {},
        "extensions": {"http.response.trailers": {}},
    } | changes


def _probe(app: Any, trace: Trace) -> App:
    async def probed(scope: Scope, receive: Receive, send: Send) -> Any:
        async def asked() -> Message:
            trace.add("app asks")
            message: Message = await _noted("receive", receive())
            trace.add("app got", message)
            return message

        async def sent(message: Message) -> None:
            trace.add("app sends", message)
            await _noted("send", send(message))
            trace.add("app sent")

        async def _noted(what: str, call: Awaitable[Any]) -> Any:
            try:
                return await call
            except BaseException as error:
                trace.add(f"app sees {what} raise", error)
                raise

        trace.add("app called", scope)
        trace.add("app in task", asyncio.current_task())
        try:
            result = await app(scope, asked, sent)
        except BaseException as error:
            trace.add("app raises", error)
            raise
        trace.add("app returns", result)
        return result

    return probed


@dataclass
class AsgiServer:
    """
    One connection scope of a server.

    Args:
        scope: what the application is called with.
        incoming: messages of the client; after them it has left.
        error: is raised by `send` ...
        failing: ... when it takes this type of message.
        interrupt: is called with the server at each `receive` and `send`.
        probed: whether what the application sees is noted, too.
    """

    scope: Scope
    incoming: Iterable[Message] = ()
    error: BaseException | None = None
    failing: str = ""
    interrupt: Callable[["AsgiServer", str], None] | None = None
    probed: bool = True
    trace: Trace = field(default_factory=Trace)
    taken: list[Message] = field(default_factory=list)
    headers: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    task: "asyncio.Task[Any] | None" = None
    raised: BaseException | None = None
    returned: Any = None

    def run(self, app: Any, wrap: Wrap = lambda app: app) -> "AsgiServer":
        """Serve it to the end, whatever that is."""
        asyncio.run(self.serve(app, wrap))

        return self

    async def serve(self, app: Any, wrap: Wrap = lambda app: app) -> None:
        """Serve it in the running loop."""
        self._incoming = list(self.incoming)
        self._complete = asyncio.Event()
        called = wrap(_probe(app, self.trace) if self.probed else app)
        self.task = asyncio.current_task()
        try:
            async with asyncio.timeout(_SECONDS):
                self.returned = await called(self.scope, self._receive, self._send)
        except BaseException as error:  # noqa: BLE001 - it is what the test looks at
            self.raised = error
        self.trace.add("server sees in context", SEEN.get())

    async def _receive(self) -> Message:
        self.trace.add("server is asked")
        self._interrupt("receive")
        await asyncio.sleep(0)
        if self._incoming:
            message = self._incoming.pop(0)
        else:
            if self.scope["type"] == "http":
                await self._complete.wait()
            message = _LEFT[self.scope["type"]]
        self.trace.add("server gives", message)

        return message

    async def _send(self, message: Message) -> None:
        headers = [(name, value) for name, value in message.get("headers", ())]
        shown = plain({**message, "headers": headers})
        self.trace.append(Step("server takes", message, shown))
        self._interrupt(message["type"])
        if self.error is not None and message["type"] == self.failing:
            raise self.error
        await asyncio.sleep(0)  # a server that waits for its socket
        self.taken.append(dict(message))
        self.headers.append(headers)
        if message["type"] in _LAST and not message.get("more_body", False):
            self._complete.set()

    def _interrupt(self, where: str) -> None:
        if self.interrupt is not None:
            self.interrupt(self, where)

    @property
    def status(self) -> int | None:
        """The status that the client got."""
        starts = [message for message in self.taken if message["type"] in _STARTS]

        return starts[0]["status"] if starts else None

    @property
    def body(self) -> bytes:
        """The body that the client got."""
        bodies = [message for message in self.taken if message["type"] in _BODIES]

        return b"".join(bytes(message.get("body", b"")) for message in bodies)

    @property
    def types(self) -> list[str]:
        """The types of the messages that were taken."""
        return [message["type"] for message in self.taken]


_LEFT: dict[str, Message] = {
    "http": {"type": "http.disconnect"},
    "websocket": {"type": "websocket.disconnect", "code": 1005},
    "lifespan": {"type": "lifespan.shutdown"},
}
_STARTS = {"http.response.start", "websocket.http.response.start"}
_BODIES = {"http.response.body", "websocket.http.response.body"}
_LAST = {"http.response.body", "http.response.pathsend", "http.response.zerocopysend"}
