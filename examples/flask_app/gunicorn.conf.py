# The bank on threads:
#     gunicorn -c examples/flask_app/gunicorn.conf.py flask_app.app:app
bind = "127.0.0.1:8001"
chdir = "examples"
worker_class = "gthread"
workers = 1  # the bank keeps its data in memory; another worker would have its own
threads = 8
raw_env = [
    "AUDIT_MW_TRAIL=../audit-trail",
    "AUDIT_MW_TRUSTED_PROXIES=127.0.0.1",
    "AUDIT_MW_EVENT_HEADER=x-event",
]
