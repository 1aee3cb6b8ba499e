# An hour in Django's admin, through the browser beside this file.
#
# A process of its own runs it, for Django's settings are one to a process:
#     python -m tests.compat.detectors.admin_hour TRAIL
# mypy: disable-error-code="import-untyped"
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import path
from tests.compat.detectors.browser import Browser, Page

from audit_mw import AuditMiddleware

USERS = ("alice", "žemaitė")  # a name beyond ASCII is looked at closely
AUTHORS = "/admin/library/author/"
urlpatterns: list[object] = []


def set_up() -> None:
    """Make a site with its admin, its database in memory."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        },
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "audit_mw.integrations.django",
            "tests.compat.detectors.library",
        ],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.locale.LocaleMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of your own",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        STATIC_URL="/static/",
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0, run_syncdb=True)
    # These need the models, and so come behind the settings.
    admin = sys.modules["django.contrib.admin"]
    urlpatterns.append(path("admin/", admin.site.urls))
    users = sys.modules["django.contrib.auth.models"].User.objects
    for user in USERS:
        users.create_superuser(user, "admin@example.com", "correct horse")
    for number in range(120):
        users.create_user(f"user{number}")


def log_in(browser: Browser, user: str) -> None:
    """Log in, at the second try."""
    for password in ("wrong", "correct horse"):
        page = browser.get(f"/admin/login/?next={AUTHORS}")
        form = page.form("login-form")
        form.set("username", user)
        form.set("password", password)
        page = browser.submit(page, form)
    assert page.target == AUTHORS, page.target


def add_authors(browser: Browser) -> None:
    """Add authors with books, once with a mistake."""
    for number, name in enumerate(
        ("Jaan Kross", "Žemaitė", "Гоголь", "Βιζυηνός", "三島由紀夫", "نجيب محفوظ", "")
    ):
        page = browser.get(f"{AUTHORS}add/?_changelist_filters=q%3Da%26o%3D1")
        form = page.form("author_form")
        form.set("name", name)
        form.set("email", f"author{number}@example.com")
        form.set("about", "50% of it\r\nin two lines, “quoted” — 🙂")
        form.set("book_set-0-title", "Keisri hull & co = 100%")
        form.set("book_set-1-title", "C++; <b>a</b>")
        buttons = ("_continue", "Save") if number % 2 else ("_addanother", "Save")
        browser.submit(page, form, buttons)


def change_authors(browser: Browser) -> None:
    """Search, filter, sort, edit in the list and on the page, and delete."""
    for query in (
        "?q=kross", "?q=100%25", "?q=%C3%B5un+%26+co", "?q=&o=1", "?q=o&o=-1.2&p=0",
        "?genre__exact=novel&q=a", "?born__isnull=True", "?all=", "?e=1", "?o=1&o=2",
        "?q=a&_changelist_filters=q%3Da%26o%3D1", "?born__year=1920",
    ):  # fmt: skip
        browser.get(AUTHORS + query)
    page = browser.get(f"{AUTHORS}?q=&o=1")
    form = page.form("changelist-form")
    form.set("form-0-email", "new@example.com")
    form.set("form-1-genre", "poem")
    browser.submit(page, form, ("_save", "Save"))
    page = browser.get(f"{AUTHORS}1/change/?_changelist_filters=q%3D%26o%3D1")
    form = page.form("author_form")
    form.set("name", "Jaan Kross (1920)")
    form.set("book_set-0-DELETE", "on")
    browser.submit(page, form, ("_save", "Save"))
    browser.submit(page, form, ("_save", "Save"))  # by the back button, once more
    browser.get(f"{AUTHORS}1/history/")
    delete(browser, browser.get(f"{AUTHORS}?q=o&o=1"))
    browser.get(f"{AUTHORS}add/?_popup=1&_to_field=id")


def delete(browser: Browser, page: Page) -> None:
    """Delete what is ticked, and say that it is meant."""
    form = page.form("changelist-form")
    form.set("action", "delete_selected")
    form.set("_selected_action", "2", "3")
    form.set("select_across", "0")
    form.set("index", "0")
    answer = browser.submit(page, form)
    assert "_selected_action" in answer.text


def change_users(browser: Browser) -> None:
    """Add a user, and choose several permissions and groups."""
    users = "/admin/auth/user/"
    page = browser.get("/admin/auth/group/add/?_popup=1")
    form = page.form("group_form")
    form.set("name", "clerks")
    form.set("permissions", "1", "2", "3", "4")
    browser.submit(page, form, ("_save", "Save"))
    page = browser.get(f"{users}add/")
    form = page.form("user_form")
    form.set("username", "bob")
    form.set("password1", "battery staple")
    form.set("password2", "battery staple")
    browser.submit(page, form, ("_save", "Save"))
    page = browser.get(f"{users}1/change/")
    form = page.form("user_form")
    form.set("first_name", "Alice Õ.")
    form.set("user_permissions", *map(str, range(1, 20)))
    form.set("groups", "1")
    browser.submit(page, form, ("_continue", "Save"))
    for query in (
        "?is_staff__exact=1&p=1&q=user",
        "?is_active__exact=1&o=4.-1",
        "?p=1",
    ):
        browser.get(users + query)


def main(trail: str) -> None:
    """Work for an hour, and log out."""
    set_up()
    browser = Browser(AuditMiddleware(get_wsgi_application(), trail=trail))
    log_in(browser, USERS[0])
    add_authors(browser)
    change_authors(browser)
    change_users(browser)
    page = browser.get("/admin/")
    browser.submit(page, page.form("logout-form"))
    # And one that is due: the list is of one user, what is done to it of another.
    log_in(browser, USERS[1])
    page = browser.get(AUTHORS)
    page.target = f"{AUTHORS}?action=export"
    delete(browser, page)


if __name__ == "__main__":
    main(sys.argv[1])
