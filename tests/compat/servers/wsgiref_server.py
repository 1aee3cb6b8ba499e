# wsgiref has no command: `python -m tests.compat.servers.wsgiref_server PORT`.
import sys
from wsgiref.simple_server import make_server

from tests.edges.served import wsgi

if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), wsgi).serve_forever()
