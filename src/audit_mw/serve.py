"""
The entry for a server: the application that AUDIT_MW_APP names, audited.

    AUDIT_MW_APP=shop:app uvicorn audit_mw.serve:app
    AUDIT_MW_APP=shop:app gunicorn audit_mw.serve:app
    AUDIT_MW_APP="shop:make_app('prod')" gunicorn audit_mw.serve:app

All options come from `AUDIT_MW_<NAME>` and the file that AUDIT_MW_CONFIG names.
"""

import os

from audit_mw.integrations.application import VARIABLE, audited, load_app

__all__ = ["app"]

_named = os.environ.get(VARIABLE, "")

# When it is imported, not when it is asked for: some servers look into the module.
app = audited(load_app(_named), _named)
