"""What joins the trail with one framework or server: a module for each."""

__all__: list[str] = []
