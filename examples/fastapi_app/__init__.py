"""A small bank on FastAPI."""
