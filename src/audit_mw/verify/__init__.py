"""Judging a trail: what is damaged, what is missing, what contradicts what."""

from audit_mw.verify.judge import verify_trail
from audit_mw.verify.report import Finding, Report, Touched

__all__ = ["Finding", "Report", "Touched", "verify_trail"]
