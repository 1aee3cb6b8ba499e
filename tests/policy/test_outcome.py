# The table of outcomes: the first row that holds.
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_mw.policy.outcome import OUTCOMES, Evidence, resolve_outcome


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param(
            Evidence(gone=True, broken=True, status=500), "ABORTED", id="gone"
        ),
        pytest.param(Evidence(broken=True, status=200), "ERROR", id="broken"),
        pytest.param(Evidence(broken=True, status=401), "ERROR", id="broken at 401"),
        pytest.param(Evidence(status=500), "ERROR", id="500"),
        pytest.param(Evidence(status=599), "ERROR", id="599"),
        pytest.param(Evidence(status=401), "ATTEMPT", id="401"),
        pytest.param(Evidence(status=401, credentials=True), "FAILURE", id="401, sent"),
        pytest.param(Evidence(status=407), "ATTEMPT", id="407"),
        pytest.param(Evidence(status=407, credentials=True), "FAILURE", id="407, sent"),
        pytest.param(Evidence(status=400), "FAILURE", id="400"),
        pytest.param(Evidence(status=403, credentials=True), "FAILURE", id="403"),
        pytest.param(Evidence(status=499), "FAILURE", id="499"),
        pytest.param(Evidence(status=399), "SUCCESS", id="399"),
        pytest.param(Evidence(status=304), "SUCCESS", id="304"),
        pytest.param(Evidence(status=200, credentials=True), "SUCCESS", id="200"),
        pytest.param(Evidence(status=101), "SUCCESS", id="101"),
        pytest.param(Evidence(), "SUCCESS", id="nothing else"),
    ],
)
def test_outcome(evidence: Evidence, expected: str) -> None:
    """Each row decides where none above it does."""
    assert resolve_outcome(evidence) == expected


@given(st.booleans(), st.booleans(), st.none() | st.integers(0, 999), st.booleans())
def test_always_one(
    gone: bool,
    broken: bool,
    status: int | None,
    credentials: bool,
) -> None:
    """Whatever was seen, there is an outcome, and only a good end is a success."""
    found = resolve_outcome(
        Evidence(gone=gone, broken=broken, status=status, credentials=credentials)
    )

    assert found in OUTCOMES
    assert (found == "SUCCESS") <= (not gone and not broken and (status or 0) < 400)
