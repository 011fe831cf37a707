"""Findings about the settings of Flask and of the registry."""

from __future__ import annotations

from ..finding import FindingType

_NEW_KEY = (
    "python -c 'import secrets; print(secrets.token_hex())'  # Run once; store the"
    " output as SECRET_KEY."
)

_KEY_FROM_ENVIRONMENT = 'SECRET_KEY = os.environ["SECRET_KEY"]'

_VISIBILITY_POLICY = """\
@registry.authorize
def is_allowed(user, action, repository):
    if user is None:
        return action == "pull" and repository.visibility == "public"
    ..."""

KEY_MISSING = FindingType(
    "secret-key-missing",
    "error",
    "The application has no secret key.",
    "The registry signs tokens with it. Without it, docker login is answered 500.",
    {"command": _NEW_KEY, "python": _KEY_FROM_ENVIRONMENT},
)

KEY_KNOWN = FindingType(
    "secret-key-known",
    "error",
    "The secret key can be guessed.",
    "An attacker who knows the key can sign a token for any user, and pull and push as"
    " that user.",
    {"command": _NEW_KEY, "python": _KEY_FROM_ENVIRONMENT},
)

KEY_PER_PROCESS = FindingType(
    "secret-key-per-process",
    "error",
    "Each process generates its own secret key.",
    "docker gets a token from one worker and sends it to another, which rejects it."
    " Logins succeed only sometimes, and every restart ends all of them.",
    {
        "command": _NEW_KEY,
        "python": f"{_KEY_FROM_ENVIRONMENT}  # Not secrets.token_hex() at start.",
    },
)

AUTHENTICATE_MISSING = FindingType(
    "authenticate-missing",
    "error",
    "No function verifies passwords.",
    "docker login with a password is answered 500.",
    {
        "python": (
            "@registry.authenticate\n"
            "def verify(username, secret):\n"
            "    ...  # Return the user, or None.\n\n"
            "# Or accept access tokens only:\n"
            "OCI_PASSWORD_LOGIN = False"
        ),
    },
)

POLICY_FAILS = FindingType(
    "authorize-fails",
    "error",
    "The @registry.authorize function raises an exception.",
    "The registry calls it with None for anonymous clients, and with repositories that"
    " do not exist yet. Such requests are answered 500.",
    {"python": _VISIBILITY_POLICY},
)

ANONYMOUS_PUSH = FindingType(
    "anonymous-may-push",
    "error",
    "Anonymous clients may push or delete.",
    "Every client on the network can replace images that other users run.",
    {
        "python": (
            "@registry.authorize\n"
            "def is_allowed(user, action, repository):\n"
            '    if user is None and action != "pull":\n'
            "        return False\n"
            "    ..."
        ),
    },
)

ANONYMOUS_PULL = FindingType(
    "anonymous-may-pull",
    "warning",
    "Anonymous clients may pull private images.",
    "A new repository is private until its owner changes its visibility.",
    {"python": _VISIBILITY_POLICY},
)

DEBUG = FindingType(
    "debug-mode",
    "warning",
    "The application is in debug mode.",
    "A client that provokes an error sees the source code and an interactive console.",
    {"command": "flask --app forge run  # Without --debug and without FLASK_DEBUG."},
)

TESTING = FindingType(
    "testing-mode",
    "warning",
    "The application is in testing mode.",
    "An error closes the connection instead of sending a response, and extensions skip"
    " some of their checks.",
    {"python": "TESTING = False"},
)

URL_DIFFERS = FindingType(
    "external-url-differs",
    "error",
    "OCI_EXTERNAL_URL is not the address that clients use.",
    "docker requests its token from that address, which may be unreachable or belong to"
    " another server.",
    {"python": 'OCI_EXTERNAL_URL = "https://forge.example.org"'},
)

ADDRESS_HIDDEN = FindingType(
    "client-address-hidden",
    "note",
    "The application does not see the addresses of its clients.",
    "Failed logins are counted by address. If every request seems to come from the"
    " proxy, one attacker uses up the attempts of all clients.",
    {
        "python": (
            "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)"
        ),
    },
)

CACHE_UNDECIDED = FindingType(
    "cache-policy-unset",
    "note",
    "OCI_CACHE_POLICY is not set.",
    "The registry calls your functions that load users and decide on access at each"
    " request, because they may ask the clock or another service. If they depend on"
    " their arguments and on the registry's database alone, True is right: a repeated"
    " pull then executes no statement until something is committed. If they read it"
    ' with db.session only, "statements" makes pushes faster, too.',
    {
        "python": (
            "OCI_CACHE_POLICY = True  # They depend on the database alone.\n\n"
            "# Or, if they read it with db.session only:\n"
            'OCI_CACHE_POLICY = "statements"\n\n'
            "# Or keep calling them at each request:\n"
            "OCI_CACHE_POLICY = False"
        ),
    },
)
