"""Findings about the root of the registry and about signing in."""

from __future__ import annotations

from ..finding import FindingType

_EXEMPT = """\
@app.before_request
def require_login():
    if request.blueprint == registry.blueprint.name:
        return None  # The registry requests credentials itself.
    ..."""

_MIDDLEWARE = """\
# In a middleware around app.wsgi_app, such as one for passwords:
def __call__(self, environ, start_response):
    if environ["PATH_INFO"].startswith("/v2/"):
        return self.wsgi_app(environ, start_response)
    ..."""

_PROXY_FIX = """\
from werkzeug.middleware.proxy_fix import ProxyFix

app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)"""

_FORWARDED = {
    "nginx": (
        "proxy_set_header Host $http_host;\n"
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
        "proxy_set_header X-Forwarded-Host $http_host;\n"
        "proxy_set_header X-Forwarded-Proto $scheme;"
    ),
    "apache": 'ProxyPreserveHost On\nRequestHeader set X-Forwarded-Proto "https"',
    "caddy": "reverse_proxy 127.0.0.1:8000  # Sends all of them by default.",
    "traefik": "passHostHeader: true",
}

_SERVER_ENVIRONMENT = (
    "systemd-run --pty --property=EnvironmentFile=/etc/forge.env flask oci check"
)

NOT_AT_ROOT = FindingType(
    "not-at-root",
    "error",
    "There is no registry at /v2/.",
    "docker requests /v2/ at the root of the host, even if the application has a"
    " prefix. Pass that path to the application unchanged.",
    {
        "python": (
            "app.register_blueprint(registry.blueprint)"
            "  # Without url_prefix and subdomain."
        ),
        "nginx": "location /v2/ {\n    proxy_pass http://127.0.0.1:8000;\n}",
        "apache": 'ProxyPass "/v2/" "http://127.0.0.1:8000/v2/" nocanon',
        "caddy": "handle /v2/* {\n    reverse_proxy 127.0.0.1:8000\n}",
        "traefik": "rule: Host(`forge.example.org`) && PathPrefix(`/v2/`)",
    },
)

REDIRECTED = FindingType(
    "redirected",
    "error",
    "The registry's address redirects to another one.",
    "docker cannot sign in on a page, and a redirect loses the body of a push. A"
    " redirect to a login page comes from a hook of the application. A redirect from"
    " https to https comes from an application that does not know the address that the"
    " client used.",
    {"python": f"{_EXEMPT}\n\n{_PROXY_FIX}", **_FORWARDED},
)

ANONYMOUS_BLOCKED = FindingType(
    "anonymous-blocked",
    "warning",
    "Anonymous clients cannot pull public images.",
    "docker pulls public images with a token for an anonymous client. A hook of the"
    " application requires a login for it. Exempt the registry from the hook, or"
    " require a login for the registry too.",
    {"python": f"{_EXEMPT}\n\n# Or:\nOCI_REQUIRE_LOGIN = True"},
)

USERS_BLOCKED = FindingType(
    "users-blocked",
    "error",
    "The application rejects users who have signed in.",
    "A hook of the application requires another step first, such as accepting terms,"
    " which docker cannot do.",
    {"python": _EXEMPT},
)

FAILS = FindingType(
    "registry-fails",
    "error",
    "The registry answers with a server error.",
    "docker retries a few times and gives up. The application's log has the cause.",
    {"command": "journalctl -u forge"},
)

NO_CHALLENGE = FindingType(
    "challenge-missing",
    "error",
    "The registry does not tell clients how to sign in.",
    "Without a challenge, docker login takes the address for a registry without logins,"
    " or for no registry, and every push fails. The response to GET /v2/ must be 401"
    " with WWW-Authenticate: Bearer. A proxy, a WSGI middleware or a hook of the"
    " application answers instead of the registry.",
    {
        "python": f"{_EXEMPT}\n\n{_MIDDLEWARE}",
        "nginx": (
            "# Not: auth_basic, auth_request, proxy_hide_header WWW-Authenticate;"
        ),
        "apache": (
            "# Not: AuthType Basic, Require valid-user, Header unset WWW-Authenticate"
        ),
        "caddy": "# Not: basicauth, forward_auth, header -WWW-Authenticate",
        "traefik": "# Not: the middlewares basicAuth and forwardAuth",
    },
)

REALM_WRONG = FindingType(
    "realm-wrong",
    "error",
    "The challenge sends clients to the wrong token endpoint.",
    "The challenge contains the address of the token endpoint. If it is wrong, docker"
    " login fails or sends a password over plain HTTP. The application must know the"
    " address that its clients use.",
    {
        "python": (
            f"{_PROXY_FIX}\n\n"
            "# Or set it, whatever the proxy sends:\n"
            'OCI_EXTERNAL_URL = "https://forge.example.org"'
        ),
        **_FORWARDED,
    },
)

TOKEN_REFUSED = FindingType(
    "token-endpoint-fails",
    "error",
    "The token endpoint does not issue tokens.",
    "docker login reports that it could not get a token, and no user can push.",
    {
        "nginx": (
            "location /v2/ {  # It includes /v2/token.\n"
            "    proxy_pass http://127.0.0.1:8000;\n"
            "}"
        ),
    },
)

STRIPPED = FindingType(
    "authorization-stripped",
    "error",
    "Credentials do not reach the registry.",
    "A proxy or mod_wsgi removes the Authorization header. docker logs in and is asked"
    " to log in again.",
    {
        "nginx": '# Not: proxy_set_header Authorization "";',
        "apache": (
            "CGIPassAuth On  # And not: RequestHeader unset Authorization\n"
            "WSGIPassAuthorization On  # With mod_wsgi, instead of a proxy."
        ),
        "caddy": "# Not: header_up -Authorization",
        "traefik": "# Not: basicAuth with removeHeader: true, which removes it.",
    },
)

KEY_DIFFERS = FindingType(
    "secret-key-differs",
    "warning",
    "The server and this command use different values of SECRET_KEY or OCI_SERVICE.",
    "Either each process generates its own key, and docker is rejected after every"
    " restart; or this command does not run in the server's environment, and checks"
    " another application than the clients use.",
    {
        "python": 'SECRET_KEY = os.environ["SECRET_KEY"]',
        "command": _SERVER_ENVIRONMENT,
    },
)

DATABASE_DIFFERS = FindingType(
    "database-differs",
    "warning",
    "The server does not see the data that this command has written.",
    "It uses another database, another storage folder or another secret key. The flask"
    " oci commands do not affect the registry that your clients see.",
    {"command": _SERVER_ENVIRONMENT},
)

HEADERS_STRIPPED = FindingType(
    "headers-stripped",
    "warning",
    "Headers of the registry's responses are lost.",
    "Clients compare Docker-Content-Digest with the content, and some require"
    " Docker-Distribution-Api-Version to recognize a registry.",
    {
        "nginx": (
            "# Not: proxy_hide_header Docker-Content-Digest;\n\n"
            "# If nginx sends the files:\n"
            "location /_oci_blobs/ {\n"
            "    add_header Docker-Content-Digest"
            " $upstream_http_docker_content_digest;\n"
            "}"
        ),
        "apache": "# Not: Header unset Docker-Content-Digest",
        "caddy": "# Not: header -Docker-*",
        "traefik": "# Not: customResponseHeaders with empty values",
    },
)
