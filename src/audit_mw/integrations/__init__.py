"""What joins the trail with one framework or server: a module for each."""

__all__: list[str] = []

# Imported for what it brings: a view that says `audit_mw.login(...)` in the first
# request would import the rest of the package there.
from audit_mw import door as _door  # noqa: F401 - for what it brings
