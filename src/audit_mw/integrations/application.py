# The application that a server's entry is to wrap: imported by its name, wrapped once.
import ast
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.middleware import AuditMiddleware, is_audited

__all__ = ["VARIABLE", "audited", "load_app"]

VARIABLE = "AUDIT_MW_APP"
_EXAMPLE = "such as shop:app, or shop:make_app() for a factory"
_USUAL = ("app", "application", "asgi", "wsgi", "create_app", "make_app")


def audited(application: Any, named: str) -> Any:
    """
    Return an application with an audit trail; one that has its own, as it is.

    Args:
        application: what a server would serve.
        named: how it is called, such as `shop:app`: the module is the default of the
            option `service`.

    Raises:
        ConfigError: an option is wrong, or its interface cannot be told.
    """
    if is_audited(application):
        return application
    module = named.partition(":")[0]
    # gunicorn's may also be the path of a file.
    is_module = all(map(str.isidentifier, module.split(".")))
    service = Config.load().service or (module if is_module else None)

    return AuditMiddleware(application, service=service)


def load_app(named: str) -> Any:
    """
    Import the application that `module:name` or `module:factory(...)` names.

    An error that the module itself raises goes on as it is.

    Raises:
        ConfigError: there is no such module or name, or it is no expression of this
            form.
    """
    module_name, colon, expression = named.partition(":")
    if not module_name or not colon or not expression:
        raise _wrong(named, f"name the application as module:name, {_EXAMPLE}")
    attributes, call = _parse(named, expression)
    found = _attribute(named, _import(named, module_name), attributes)
    if call is not None:
        found = _call(named, found, call)
    if not callable(found):
        kind = type(found).__name__
        raise _wrong(named, f"name an application; this is a {kind}, {_EXAMPLE}")

    return found


def _wrong(named: str, right: str) -> ConfigError:
    return ConfigError("app", named, right, f"variable {VARIABLE}")


def _parse(named: str, expression: str) -> tuple[list[str], ast.Call | None]:
    try:
        node = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise _wrong(
            named, f"what stands behind the colon is a name, {_EXAMPLE}"
        ) from None
    call = node if isinstance(node, ast.Call) else None
    name: ast.expr = node.func if isinstance(node, ast.Call) else node
    attributes: list[str] = []
    while isinstance(name, ast.Attribute):
        attributes.insert(0, name.attr)
        name = name.value
    if not isinstance(name, ast.Name):
        raise _wrong(named, f"what stands behind the colon is a name, {_EXAMPLE}")

    return [name.id, *attributes], call


def _import(named: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Only when that module itself is missing: what it misses is its own error.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        right = (
            f"there is no module {error.name!r} on sys.path; start the server where it "
            "is, or set PYTHONPATH"
        )
        raise _wrong(named, right) from error


def _attribute(named: str, module: ModuleType, attributes: list[str]) -> Any:
    found: Any = module
    for attribute in attributes:
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise _wrong(named, _no_name(module, found, attribute)) from None

    return found


def _no_name(module: ModuleType, found: Any, attribute: str) -> str:
    usual = [each for each in _USUAL if callable(getattr(module, each, None))]
    hint = f"; it has {', '.join(usual)}" if usual and found is module else ""
    owner = getattr(found, "__name__", type(found).__name__)

    return f"{owner} has no {attribute!r}{hint}"


def _call(named: str, factory: Callable[..., Any], call: ast.Call) -> Any:
    try:
        args = [ast.literal_eval(each) for each in call.args]
        keywords = {_name(each): ast.literal_eval(each.value) for each in call.keywords}
    except ValueError:
        right = "a factory takes literals, such as shop:make_app('prod', debug=False)"
        raise _wrong(named, right) from None
    if not callable(factory):
        raise _wrong(named, f"what is called is a {type(factory).__name__}")

    return factory(*args, **keywords)


def _name(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError("**")

    return keyword.arg
