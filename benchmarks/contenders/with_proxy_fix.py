# werkzeug's ProxyFix alone. It logs nothing: it puts the client's address where the
# server's access log, or a logger of the user's, would find it.
from benchmarks.served import wsgi as wsgi_alone
from werkzeug.middleware.proxy_fix import ProxyFix

__all__ = ["wsgi"]

wsgi = ProxyFix(wsgi_alone, x_for=1)
