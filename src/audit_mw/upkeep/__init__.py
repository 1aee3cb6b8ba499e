"""Keeping a trail: closing its segments, and removing them when they are old."""
