# What the admin edits.
# mypy: ignore-errors
from typing import ClassVar

from django.db import models


class Author(models.Model):
    """Who writes."""

    name = models.CharField(max_length=99)
    email = models.EmailField(blank=True)
    born = models.DateField(null=True, blank=True)
    about = models.TextField(blank=True)
    photo = models.FileField(blank=True)
    genre = models.CharField(
        max_length=9, choices=[("novel", "Novel"), ("poem", "Poem")], default="novel"
    )

    class Meta:
        """Name it as the admin's addresses do."""

        app_label = "library"

    def __str__(self) -> str:
        """Return the name."""
        return self.name


class Book(models.Model):
    """What is written."""

    author = models.ForeignKey(Author, models.CASCADE)
    title = models.CharField(max_length=99)
    price = models.DecimalField(max_digits=6, decimal_places=2, default="9.90")

    class Meta:
        """Name it as the admin's addresses do."""

        app_label = "library"
        ordering: ClassVar = ["title"]

    def __str__(self) -> str:
        """Return the title."""
        return self.title
