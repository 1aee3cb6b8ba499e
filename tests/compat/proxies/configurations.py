# The configurations of docs/proxies.md, each listening where a test wants it and in
# front of the server that a test started.
from collections.abc import Callable

from tests.compat.proxies.document import append, block, put

__all__ = ["OPTIONS", "configuration", "options"]

OPTIONS = block("nginx options")

_LISTENS = {
    "nginx": ("listen 80;", "listen {listen};"),
    "haproxy": ("bind :80", "bind {listen}"),
    "apache": ("Listen 80", "Listen {listen}"),
}
_NGINX_FOR = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
# (proxy, what it sets) -> the change that the page names.
_CHANGES: dict[tuple[str, str], Callable[[str, str], str]] = {
    ("nginx", "replace"): lambda text, more: put(text, {_NGINX_FOR: more}),
    ("nginx", "x-real-ip"): lambda text, more: put(text, {_NGINX_FOR: more}),
    ("nginx", "forwarded"): lambda text, more: put(text, {_NGINX_FOR: more}),
    ("haproxy", "replace"): lambda text, more: append(text, "backend shop\n", more),
    ("haproxy", "forwarded"): lambda text, more: put(
        text, {"    option forwardfor\n": more}
    ),
    ("apache", "replace"): lambda text, more: text + more,
}


def configuration(proxy: str, sets: str, upstream: str) -> str:
    """Return the configuration of a proxy that sets headers before an upstream."""
    text = block(proxy)
    if sets != "append":
        text = _CHANGES[proxy, sets](text, block(f"{proxy} {sets}"))

    return put(text, dict([_LISTENS[proxy]]) | {"127.0.0.1:8000": upstream})


def options(forwarded_by: str, text: str = OPTIONS) -> str:
    """Return options with the one header that the proxies set."""
    return f'{text}forwarded_by = "{forwarded_by}"\n'
