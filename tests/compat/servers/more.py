# The servers beyond the quick ones of tests/edges/fleet.py, and all of them together.
from tests.edges.fleet import QUICK, Server, gunicorn
from tests.serving import SECONDS

__all__ = ["ALL", "MORE"]

_UVICORN = QUICK["uvicorn"]
_GRANIAN_TLS = "--port {port} --ssl-certificate {cert} --ssl-keyfile {key}"


def _uvicorn(arguments: str) -> Server:
    return Server(
        interface="asgi",
        command=f"uvicorn tests.edges.served:asgi {arguments} --log-level warning"
        f" --timeout-keep-alive {SECONDS}",
        tcp=_UVICORN.tcp,
        unix=_UVICORN.unix,
        tls=_UVICORN.tls,
    )


def _granian(interface: str) -> Server:
    served = f"granian tests.edges.served:{interface} --interface {interface}"

    return Server(
        interface=interface,
        command=f"{served} --log-level warning --workers-kill-timeout 1",
        tcp="--port {port}",
        unix="--uds {unix}",
        tls=_GRANIAN_TLS,
        http2=True,
    )


MORE = {
    "uvicorn h11": _uvicorn("--http h11"),
    "granian asgi": _granian("asgi"),
    "daphne": Server(
        interface="asgi",
        command="daphne --verbosity 0 --application-close-timeout 1",
        tcp="--port {port} tests.edges.served:asgi",
        unix="--unix-socket {unix} tests.edges.served:asgi",
        tls="--endpoint ssl:{port}:interface=127.0.0.1:privateKey={key}:certKey={cert}"
        " tests.edges.served:asgi",
        lacks=frozenset({"expect", "body streamed"}),
    ),
    "gunicorn uvicorn": gunicorn("asgi", "-k uvicorn_worker.UvicornWorker"),
    "gunicorn gevent": gunicorn("wsgi", "-k gevent"),
    "granian wsgi": _granian("wsgi"),
    "uWSGI": Server(
        interface="wsgi",
        command="uwsgi --master --need-app --die-on-term --enable-threads"
        " --module tests.edges.served:wsgi --disable-logging",
        tcp="--http11-socket 127.0.0.1:{port}",
        unix="--http11-socket {unix}",
        tls="--https-socket 127.0.0.1:{port},{cert},{key}",
        lacks=frozenset({"chunked"}),
    ),
    "wsgiref": Server(
        interface="wsgi",
        command="python -m tests.compat.servers.wsgiref_server",
        tcp="{port}",
        lacks=frozenset({"chunked"}),
    ),
}
ALL = QUICK | MORE
