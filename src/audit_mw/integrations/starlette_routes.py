# The scope that Starlette or FastAPI has routed -> the template of its route.
#
# Rule: what is not sure is not said: then the action is the function that serves it.
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, NamedTuple

__all__ = ["template_of"]

Scope = MutableMapping[str, Any]


def template_of(scope: Scope) -> str | None:
    """Return the path as its route has it, with that of what it is mounted in."""
    route = scope.get("route")
    if route is None:
        return _searched(scope)
    if hasattr(route, "routes"):  # what is mounted there has none
        return _mounted(scope, own=()) or "/"
    path = _path_of(scope, route)

    return path and _mounted(scope, getattr(route, "param_convertors", ())) + path


def _path_of(scope: Scope, route: Any) -> str | None:
    # FastAPI tells the prefix of a router that is included by the side of the route.
    context = scope.get("fastapi", {}).get("effective_route_context")
    if getattr(context, "original_route", None) is route:
        route = context
    path = getattr(route, "path_format", None) or getattr(route, "path", None)

    return path if isinstance(path, str) else None


def _mounted(scope: Scope, own: Any) -> str:
    """Return where it is mounted, with names in the place of values."""
    root = scope.get("root_path", "")
    places = root[len(scope.get("app_root_path", root)) :].split("/")
    for name, value in scope.get("path_params", {}).items():
        if name not in own and str(value) in places:
            places[places.index(str(value))] = f"{{{name}}}"

    return "/".join(places)


def _searched(scope: Scope) -> str | None:
    # Starlette 1.0 and before tell the endpoint, and not the route. The same endpoint
    # at two places that take the same names could be either.
    endpoint, names = scope.get("endpoint"), {*scope.get("path_params", ())}
    found = {
        place.path
        for place in _places(scope["router"].routes, _Place("", frozenset(), None))
        if place.endpoint is endpoint and place.names == names
    }

    return found.pop() if endpoint is not None and len(found) == 1 else None


class _Place(NamedTuple):
    """Where something is served, and what the path names."""

    path: str
    names: frozenset[str]
    endpoint: object


def _places(routes: Iterable[Any], around: _Place) -> Iterator[_Place]:
    for route in routes:
        path = around.path + getattr(route, "path_format", "")
        names = around.names | {*getattr(route, "param_convertors", ())}
        if hasattr(route, "routes"):
            mount = _Place(path.removesuffix("/{path}"), names - {"path"}, route.app)
            yield mount._replace(path=mount.path or "/")
            yield from _places(route.routes or (), mount)
        else:
            yield _Place(path, names, getattr(route, "endpoint", None))
