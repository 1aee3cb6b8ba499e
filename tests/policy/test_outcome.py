# The table of section 7 of the design, and that it is one: the first row that holds.
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_mw.policy.outcome import OUTCOMES, Evidence, resolve_outcome


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        pytest.param(Evidence(gone=True, status=200), "ABORTED", id="client gone"),
        pytest.param(
            Evidence(gone=True, broken=True), "ABORTED", id="gone, then broken"
        ),
        pytest.param(Evidence(gone=True, status=500), "ABORTED", id="gone, 500"),
        pytest.param(Evidence(broken=True), "ERROR", id="exception or no response"),
        pytest.param(
            Evidence(broken=True, status=200), "ERROR", id="broken after start"
        ),
        pytest.param(Evidence(broken=True, status=404), "ERROR", id="broken 404"),
        pytest.param(Evidence(status=500), "ERROR", id="500"),
        pytest.param(Evidence(status=599), "ERROR", id="599"),
        pytest.param(Evidence(status=999), "ERROR", id="beyond all classes"),
        pytest.param(Evidence(status=401), "ATTEMPT", id="401, nothing sent"),
        pytest.param(Evidence(status=407), "ATTEMPT", id="407, nothing sent"),
        pytest.param(
            Evidence(status=401, credentials=True), "FAILURE", id="401, credentials"
        ),
        pytest.param(
            Evidence(status=407, credentials=True), "FAILURE", id="407, credentials"
        ),
        pytest.param(Evidence(status=400), "FAILURE", id="400"),
        pytest.param(Evidence(status=403), "FAILURE", id="403, websocket denied"),
        pytest.param(
            Evidence(status=403, credentials=True), "FAILURE", id="403, credentials"
        ),
        pytest.param(Evidence(status=404), "FAILURE", id="404"),
        pytest.param(Evidence(status=499), "FAILURE", id="499"),
        pytest.param(Evidence(status=101), "SUCCESS", id="101, websocket"),
        pytest.param(Evidence(status=200), "SUCCESS", id="200"),
        pytest.param(Evidence(status=304), "SUCCESS", id="304"),
        pytest.param(
            Evidence(status=200, credentials=True), "SUCCESS", id="200, credentials"
        ),
    ],
)
def test_outcome(evidence: Evidence, outcome: str) -> None:
    """The first row that holds decides."""
    assert outcome == resolve_outcome(evidence)


@given(st.booleans(), st.booleans(), st.none() | st.integers(), st.booleans())
def test_always_one_of_five(
    gone: bool,
    broken: bool,
    status: int | None,
    credentials: bool,
) -> None:
    """Whatever was seen, there is an outcome, and what was cut short is no success."""
    outcome = resolve_outcome(
        Evidence(gone=gone, broken=broken, status=status, credentials=credentials)
    )

    assert outcome in OUTCOMES
    if gone or broken:
        assert outcome in ("ABORTED", "ERROR")
