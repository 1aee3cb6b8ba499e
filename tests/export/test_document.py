# docs/export.md: what it says of the forms is what they are.
from tests.generated import ROOT

from audit_mw.cli.export import export
from audit_mw.export.ecs import ECS_VERSION
from audit_mw.export.ocsf import OCSF_VERSION

_PAGE = (ROOT / "docs/export.md").read_text()


def test_forms() -> None:
    """Each form is on the page, and the versions that it names are those of the code."""
    (form,) = [it for it in export.params if it.name == "form"]
    choices = getattr(form.type, "choices", ())

    assert choices
    assert all(f"| `{each}` |" in _PAGE for each in choices)
    assert f"Framework {OCSF_VERSION}," in _PAGE
    assert f"Schema {ECS_VERSION.rpartition('.')[0]}," in _PAGE


def test_options() -> None:
    """Each option is on the page."""
    for param in export.params:
        assert any(option in _PAGE for option in param.opts)
