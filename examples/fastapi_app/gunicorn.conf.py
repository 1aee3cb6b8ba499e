# The bank on gunicorn's own ASGI worker:
#     gunicorn -c examples/fastapi_app/gunicorn.conf.py fastapi_app.app:app
bind = "127.0.0.1:8000"
chdir = "examples"
worker_class = "asgi"
workers = 1  # the bank keeps its data in memory; another worker would have its own
raw_env = [
    "AUDIT_MW_TRAIL=../audit-trail",
    "AUDIT_MW_TRUSTED_PROXIES=127.0.0.1",
    "AUDIT_MW_EVENT_HEADER=x-event",
]
