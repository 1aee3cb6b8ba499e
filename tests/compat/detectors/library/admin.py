# How the admin shows it: searched, filtered, edited in lists and in rows.
# mypy: ignore-errors
from django.contrib import admin
from tests.compat.detectors.library.models import Author, Book


class Books(admin.TabularInline):
    """The books of an author."""

    model = Book
    extra = 2


@admin.register(Author)
class Authors(admin.ModelAdmin):
    """The authors."""

    inlines = (Books,)
    list_display = ("name", "email", "genre", "born")
    list_editable = ("email", "genre")
    list_filter = ("genre", "born")
    search_fields = ("name", "book__title")
    date_hierarchy = "born"
