# A small application for Django's admin: authors, and their books as inline forms.
