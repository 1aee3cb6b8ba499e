# A dependency of FastAPI's that tells who the user is.
#
# Rule: FastAPI asks a dependency for its kind and its parameters, and calls it
#       accordingly; what is put around one answers as the dependency would.
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar, overload

from audit_mw import voice
from audit_mw.integrations.hearing import contained, name_of

__all__ = ["vouches"]

_Dependency = TypeVar("_Dependency", bound=Callable[..., Any])


@overload
def vouches(
    dependency: _Dependency, /, *, name: Callable[[Any], object] = ...
) -> _Dependency: ...
@overload
def vouches(
    *, name: Callable[[Any], object] = ...
) -> Callable[[_Dependency], _Dependency]: ...
def vouches(
    dependency: Any = None, /, *, name: Callable[[Any], object] = name_of
) -> Any:
    """
    Let who a dependency returns, or yields, be the user of the request's record.

    Args:
        dependency: of FastAPI's: a function, or an object that can be called, that is
            async or not. What it raises goes on.
        name: gives the name of what it returns; else a text, or `identity`,
            `username`, `email`, `id`, `display_name` of it, is the name.
    """
    if dependency is None:
        return functools.partial(vouches, name=name)
    vouching = _kind(dependency)(dependency, name)
    functools.update_wrapper(vouching, dependency)
    with suppress(Exception):
        # Names in annotations are looked up where the dependency was written, not here.
        vouching.__signature__ = inspect.signature(dependency, eval_str=True)

    return vouching


def _kind(dependency: Any) -> Callable[..., Any]:
    call = dependency if inspect.isroutine(dependency) else type(dependency).__call__
    for is_of, kind in (
        (inspect.isasyncgenfunction, _async_generator),
        (inspect.isgeneratorfunction, _generator),
        (inspect.iscoroutinefunction, _coroutine),
    ):
        if is_of(dependency) or is_of(call):
            return kind

    return _function


@contained
def _vouch(user: Any, name: Callable[[Any], object]) -> None:
    found = voice.current()
    called = None if found is None or user is None else name_of(name(user))
    if found is not None and called is not None:
        found.user = called


def _function(dependency: Any, name: Any) -> Any:
    def vouching(*args: Any, **named: Any) -> Any:
        user = dependency(*args, **named)
        _vouch(user, name)

        return user

    return vouching


def _coroutine(dependency: Any, name: Any) -> Any:
    async def vouching(*args: Any, **named: Any) -> Any:
        user = await dependency(*args, **named)
        _vouch(user, name)

        return user

    return vouching


def _generator(dependency: Any, name: Any) -> Any:
    def vouching(*args: Any, **named: Any) -> Iterator[Any]:
        # As a context: what is thrown into this one is thrown into that.
        with contextmanager(dependency)(*args, **named) as user:
            _vouch(user, name)
            yield user

    return vouching


def _async_generator(dependency: Any, name: Any) -> Any:
    async def vouching(*args: Any, **named: Any) -> AsyncIterator[Any]:
        async with asynccontextmanager(dependency)(*args, **named) as user:
            _vouch(user, name)
            yield user

    return vouching
