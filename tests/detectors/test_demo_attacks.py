# The attacks of the demo, each with the finding that is due, and no other.
import pytest
from examples.demo import ATTACKS, STORY, Attack
from tests.detectors.exchanges import FORM, show

# What is an attack on who reads the log, and no oddity of a request, has none: a value
# may hold a line break, markup, or a letter of another script. The coding of values is
# the application's business; their bytes are in the record.
_DUE = {
    "one name in query, body and cookie": {"param_mismatch"},
    "NUL": {"malformed_input"},
    "a forged client address": {"forged_forwarding"},
    "4,096 parameters": {"excess_input"},
}


@pytest.mark.parametrize(
    "attack", [pytest.param(each, id=each.title) for each in (*STORY, *ATTACKS)]
)
def test_attack(attack: Attack) -> None:
    """Each attack has the finding that is due."""
    path, _, query = attack.target.partition(b"?")
    fields = [
        (name.lower(), value)
        for name, _, value in (line.partition(b": ") for line in attack.fields)
    ]
    if attack.body:
        fields.append(FORM)
    shown = show(None, query, *fields, path=path, body=attack.body)

    assert shown.names == _DUE.get(attack.title, set())


def test_all_due() -> None:
    """The demo has each attack that is expected here."""
    assert {attack.title for attack in ATTACKS} >= set(_DUE)
