"""A small bank on Flask."""
