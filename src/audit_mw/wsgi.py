# The edge for WSGI (PEP 3333): tee what passes, parse nothing, keep nothing.
#
# Rule 1: the application is called at once, with the server's own environ, of which
#         only `wsgi.input` is replaced, and closed exactly once.
# Rule 2: whatever the application raises goes on unchanged.
from collections.abc import Callable, Iterable

from audit_mw import wsgi_head, wsgi_input, wsgi_response
from audit_mw.auditor import Auditor, Recorder
from audit_mw.current_exchange import Current, enter, leave
from audit_mw.errors import AuditUnavailable
from audit_mw.event import RequestHead
from audit_mw.wsgi_head import request_head, vouched
from audit_mw.wsgi_input import TeeInput
from audit_mw.wsgi_response import Environ, Response, StartResponse, end, refuse

__all__ = ["WSGIApp", "WsgiAuditMiddleware"]

WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class WsgiAuditMiddleware:
    """A WSGI application around another one; made by `AuditMiddleware`."""

    def __init__(self, app: WSGIApp, auditor: Auditor) -> None:
        self.app = app
        self._auditor = auditor
        self._event_header = auditor.config.event_header
        self._types = auditor.config.types
        self._begin_short = auditor.short_road.begin_wsgi(
            wsgi_head, wsgi_response, wsgi_input
        )

    def close_trail(self) -> None:
        """Write what is recorded: this process ends."""
        self._auditor.close(at_exit=True)

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request."""
        if self._begin_short is not None:
            short = self._begin_short(environ, start_response)
            if short is not None:
                result: Iterable[bytes] = short.serve(self.app)
                return result
        try:
            recorder = self._begin(environ)
        except AuditUnavailable:
            return refuse(environ, start_response)
        if recorder is None:
            return self.app(environ, start_response)
        current = Current(recorder, self._types)
        response = Response(current, environ, start_response, self._event_header)

        return self._serve(environ, response)

    def _serve(self, environ: Environ, response: Response) -> Iterable[bytes]:
        recorder = response.recorder
        if "wsgi.input" in environ:
            response.input = TeeInput(environ["wsgi.input"], recorder)
            environ["wsgi.input"] = response.input
        before = None
        try:
            try:
                before = enter(response.current)
                result = self.app(environ, response.start)
            finally:
                leave(before)
        except BaseException as error:
            if recorder.refused is not None and error is recorder.refused:
                return response.refuse(recorder.refused)
            end(recorder, error)
            response.end()
            raise
        try:
            return response.returned(result)
        except BaseException as error:
            end(recorder, error)
            response.end()
            raise

    def _begin(self, environ: Environ) -> Recorder | None:
        def head() -> RequestHead:
            return request_head(environ)

        recorder = self._auditor.begin(head, lambda: vouched(environ))
        if recorder is None:
            return None
        try:
            for receipt in recorder.opening:
                receipt.wait()
        except Exception as error:  # noqa: BLE001 - what cannot be recorded is not served
            recorder.drop()
            self._auditor.refuse(error, head)
            return None
        except BaseException:
            recorder.drop()
            raise

        return recorder
