# OpenTelemetry's instrumentation at its defaults: spans, by a batch processor, to a
# file of OTLP JSON. Each line of the file is a batch.
from benchmarks.contenders.recipe import RECORDS
from benchmarks.served import asgi as asgi_alone
from benchmarks.served import wsgi as wsgi_alone
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as OverAsgi
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as OverWsgi
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

__all__ = ["asgi", "wsgi"]

_provider = TracerProvider()
_provider.add_span_processor(BatchSpanProcessor(FileSpanExporter(RECORDS)))

asgi = OverAsgi(asgi_alone, tracer_provider=_provider)
wsgi = OverWsgi(wsgi_alone, tracer_provider=_provider)
