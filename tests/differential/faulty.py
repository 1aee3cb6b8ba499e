# Deliberately faulty middlewares, of both interfaces, and a right one of each.
from tests.differential.faulty_asgi import FAULTY_ASGI, PassingAsgi
from tests.differential.faulty_wsgi import FAULTY_WSGI, PassingWsgi

__all__ = ["FAULTY_ASGI", "FAULTY_WSGI", "PassingAsgi", "PassingWsgi"]
