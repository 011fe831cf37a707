"""Findings about settings."""

from __future__ import annotations

from ..finding import FindingType

_NEW_KEY = (
    "python -c 'import secrets; print(secrets.token_hex())'  # Once; keep it as"
    " SECRET_KEY."
)

_FIXED = "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)"

KEY_MISSING = FindingType(
    "secret-key-missing",
    "error",
    "The application has no secret key.",
    "Tokens are signed with it: docker login is answered 500.",
    {
        "command": _NEW_KEY,
        "python": 'SECRET_KEY = os.environ["SECRET_KEY"]',
    },
)

KEY_KNOWN = FindingType(
    "secret-key-known",
    "error",
    "The secret key can be guessed.",
    "Whoever knows it can sign a token for any user, and pull and push as them.",
    {
        "command": _NEW_KEY,
        "python": 'SECRET_KEY = os.environ["SECRET_KEY"]',
    },
)

KEY_PER_PROCESS = FindingType(
    "secret-key-per-process",
    "error",
    "Each process makes up a secret key of its own.",
    "docker gets a token from one worker and shows it to the next, which refuses it:"
    " logging in succeeds now and then, and no restart is survived.",
    {
        "command": _NEW_KEY,
        "python": 'SECRET_KEY = os.environ["SECRET_KEY"]  # Not secrets.token_hex() at start.',
    },
)

AUTHENTICATE_MISSING = FindingType(
    "authenticate-missing",
    "error",
    "Nothing checks passwords.",
    "docker login with a password is answered 500.",
    {
        "python": "@registry.authenticate\ndef check(username, secret):\n    ...  # The user,"
        " or None.\n\n# Or, where only access tokens are to be taken:\nOCI_PASSWORD_LOGIN ="
        " False",
    },
)

POLICY_FAILS = FindingType(
    "authorize-fails",
    "error",
    "The function that decides who may do what raises an error.",
    "It is asked about people who have not signed in, as None, and about repositories"
    " that do not exist yet. Those requests are answered 500.",
    {
        "python": "@registry.authorize\ndef may(user, action, repository):\n    if user is"
        ' None:\n        return action == "pull" and repository.visibility == "public"\n'
        "    ...",
    },
)

STRANGERS_PUSH = FindingType(
    "strangers-may-push",
    "error",
    "Whoever has not signed in may push or delete.",
    "Everybody in the world can replace images that others run.",
    {
        "python": "@registry.authorize\ndef may(user, action, repository):\n    if user is"
        ' None and action != "pull":\n        return False\n    ...',
    },
)

STRANGERS_PULL = FindingType(
    "strangers-may-pull",
    "warning",
    "Whoever has not signed in may pull what is private.",
    "A new repository is private until its owner says something else.",
    {
        "python": "@registry.authorize\ndef may(user, action, repository):\n    if user is"
        ' None:\n        return action == "pull" and repository.visibility == "public"\n'
        "    ...",
    },
)

DEBUG = FindingType(
    "debug-mode",
    "warning",
    "The application is in debug mode.",
    "An error shows the source, and a prompt, to whoever provokes it.",
    {
        "command": "flask --app forge run  # Without --debug, and without FLASK_DEBUG.",
    },
)

TESTING = FindingType(
    "testing-mode",
    "warning",
    "The application is in testing mode.",
    "An error ends the connection in the place of an answer, and extensions leave out"
    " checks.",
    {
        "python": "TESTING = False",
    },
)

URL_DIFFERS = FindingType(
    "external-url-differs",
    "error",
    "OCI_EXTERNAL_URL is not the address that clients use.",
    "docker is sent there for its token, and may reach nothing, or somebody else.",
    {
        "python": 'OCI_EXTERNAL_URL = "https://forge.example.org"',
    },
)

ADDRESS_HIDDEN = FindingType(
    "client-address-hidden",
    "note",
    "The application does not see its clients' addresses.",
    "Failed logins are counted by address. If all come from the proxy's, one guesser"
    " uses up everybody's attempts.",
    {
        "python": _FIXED,
    },
)
