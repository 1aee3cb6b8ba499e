"""Judging a trail: what is damaged, what is missing, what contradicts what."""

from audit_mw.verify.judge import verify_trail
from audit_mw.verify.report import Finding, Report

__all__ = ["Finding", "Report", "verify_trail"]
