# Sources of an `audit_mw` that has nothing but ids: so small that it is measured in a
# moment, and so plain that what it costs is known.
from pathlib import Path

__all__ = ["write_sources"]

_IDS = """
class EventIds:
    def make(self):
        return sum(range({work}))
"""


def write_sources(directory: Path, work: int, **more: str) -> Path:
    """
    Write the sources, and return the directory.

    Args:
        directory: gets `audit_mw`.
        work: how much an id costs.
        more: further modules, with their text.
    """
    package = directory / "audit_mw"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    for name, text in {"ids": _IDS.format(work=work), **more}.items():
        (package / f"{name}.py").write_text(text)

    return directory
