"""Decisions, compiled from the Config once: who, whence, what is secret."""
