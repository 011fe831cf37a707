"""Findings about the pages."""

from __future__ import annotations

from ..finding import FindingType

PAGES_FAIL = FindingType(
    "pages-fail",
    "warning",
    "A page of the registry is answered with a server error.",
    "The pages use the base template of the application, if OCI_WEB_BASE_TEMPLATE is"
    " set. That template may need variables that the application passes to its own"
    " pages only.",
    {
        "python": (
            "@registry.web_blueprint.context_processor\n"
            "def add_menu():\n"
            '    return {"menu": ...}  # The variables of the base template.\n\n'
            "# Or the function with which the application renders its pages:\n"
            "registry.page_renderer(render)"
        ),
    },
)

PAGES_EMPTY = FindingType(
    "pages-empty",
    "warning",
    "The base template does not show the content of the pages.",
    "The template that OCI_WEB_BASE_TEMPLATE names has no block content, so each page"
    " looks the same.",
    {
        "python": (
            "# templates/images.html, if the block has another name:\n"
            '{% extends "site.html" %}\n'
            "{% block body %}{% block content %}{% endblock %}{% endblock %}\n\n"
            'OCI_WEB_BASE_TEMPLATE = "images.html"'
        ),
    },
)

CONTENT_BLOCKED = FindingType(
    "content-blocked",
    "warning",
    "Browsers do not load all styles and scripts of the base template.",
    "The Content-Security-Policy of the pages allows only files of the application and"
    " no inline code. Browsers block everything else without a message to the visitor,"
    " so the pages look broken. Move inline code and files of other sites into the"
    " static folder of the application, or allow them.",
    {
        "python": (
            "# The check prints the whole line for your template, such as:\n"
            "OCI_WEB_CSP = (\n"
            "    \"default-src 'none'; style-src 'self' https://cdn.example.org;\"\n"
            "    \" script-src 'self'; img-src 'self'; font-src 'self';\"\n"
            "    \" connect-src 'self'; form-action 'self'; base-uri 'none';\"\n"
            "    \" frame-ancestors 'none'\"\n"
            ")"
        ),
    },
)

LOGIN_VIEW_UNKNOWN = FindingType(
    "login-view-unknown",
    "warning",
    "The login_view of Flask-Login is not an endpoint of the application.",
    "The pages cannot send visitors to the login page: they answer 403, and have no"
    " link to sign in.",
    {
        "python": (
            'login_manager.login_view = "auth.login"\n\n'
            "# Or the address, for the pages only:\n"
            'OCI_LOGIN_URL = "/login"'
        ),
    },
)
