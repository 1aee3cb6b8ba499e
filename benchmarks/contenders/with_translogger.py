# Paste's TransLogger: an access log in Apache's combined format as WSGI middleware.
from benchmarks.contenders.recipe import logger
from benchmarks.served import wsgi as wsgi_alone
from paste.translogger import TransLogger

__all__ = ["wsgi"]

wsgi = TransLogger(
    wsgi_alone, logger=logger("bench.access"), setup_console_handler=False
)
