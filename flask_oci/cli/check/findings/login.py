"""Findings about the registry root and signing in."""

from __future__ import annotations

from ..finding import FindingType

_SPARED = """\
@app.before_request
def require_login():
    if request.blueprint == registry.blueprint.name:
        return None  # The registry asks for credentials in docker's own way.
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
    "caddy": "reverse_proxy 127.0.0.1:8000  # Sends all of them by itself.",
    "traefik": "passHostHeader: true",
}

NOT_AT_ROOT = FindingType(
    "not-at-root",
    "error",
    "There is no registry at /v2/.",
    "docker asks for /v2/ at the root of the host, whatever prefix the rest of the"
    " application has. Hand that path to the application as it is.",
    {
        "python": "app.register_blueprint(registry.blueprint)  # No url_prefix, no subdomain.",
        "nginx": "location /v2/ {\n    proxy_pass http://127.0.0.1:8000;\n}",
        "apache": 'ProxyPass "/v2/" "http://127.0.0.1:8000/v2/" nocanon',
        "caddy": "handle /v2/* {\n    reverse_proxy 127.0.0.1:8000\n}",
        "traefik": "rule: Host(`forge.example.org`) && PathPrefix(`/v2/`)",
    },
)

REDIRECTED = FindingType(
    "redirected",
    "error",
    "The registry's address leads elsewhere.",
    "docker does not sign in on pages, and loses the body of a push on the way. A page"
    " to sign in on is a hook of the application's; a redirect from https to https is"
    " an application that does not know what the proxy was asked for.",
    {
        "python": f"{_SPARED}\n\n{_PROXY_FIX}",
        **_FORWARDED,
    },
)

STRANGERS_WALLED = FindingType(
    "strangers-walled",
    "warning",
    "Who has no account is kept from what is public.",
    "docker pulls public images with a token that was made for nobody, and the"
    " application's hook takes its bearer for somebody who has to sign in. Have it"
    " leave the registry out; or say that everybody has to sign in here, too.",
    {
        "python": f"{_SPARED}\n\n# Or:\nOCI_REQUIRE_LOGIN = True",
    },
)

WALLED = FindingType(
    "users-walled",
    "error",
    "The application refuses people who have signed in.",
    "A hook of the application's wants something else first, such as a page to be read,"
    " which docker cannot.",
    {
        "python": _SPARED,
    },
)

FAILS = FindingType(
    "registry-fails",
    "error",
    "The registry answers with an error of the server.",
    "docker tries again for a while, and gives up. The log of the application says"
    " what happened.",
    {
        "command": "journalctl -u forge",
    },
)

NO_CHALLENGE = FindingType(
    "challenge-missing",
    "error",
    "Nobody is told how to sign in.",
    "docker login takes the address for a registry that wants nothing, or for none, and"
    " every push fails. The answer to GET /v2/ is 401 with WWW-Authenticate: Bearer.",
    {
        "nginx": "# Not: auth_basic, auth_request, proxy_hide_header WWW-Authenticate;",
        "apache": "# Not: AuthType Basic, Require valid-user, Header unset WWW-Authenticate",
        "caddy": "# Not: basicauth, forward_auth, header -WWW-Authenticate",
        "traefik": "# Not: the middlewares basicAuth and forwardAuth",
    },
)

REALM_WRONG = FindingType(
    "realm-wrong",
    "error",
    "Clients are sent to the wrong place for their tokens.",
    "The challenge has the address of the token endpoint in it. docker login fails"
    " there, or sends a password over plain HTTP. The application has to know the"
    " address that its clients use.",
    {
        "python": f"{_PROXY_FIX}\n\n# Or, whatever the proxy sends:\nOCI_EXTERNAL_URL ="
        ' "https://forge.example.org"',
        **_FORWARDED,
    },
)

TOKEN_REFUSED = FindingType(
    "token-endpoint-fails",
    "error",
    "There are no tokens to be had.",
    "docker login says that the token could not be had, and nobody can push.",
    {
        "nginx": "location /v2/ {  # /v2/token is below it.\n    proxy_pass"
        " http://127.0.0.1:8000;\n}",
    },
)

STRIPPED = FindingType(
    "authorization-stripped",
    "error",
    "Credentials do not arrive.",
    "docker logs in, and is told to log in again: the header Authorization is lost on"
    " the way.",
    {
        "nginx": '# Not: proxy_set_header Authorization "";',
        "apache": "CGIPassAuth On  # And not: RequestHeader unset Authorization",
        "caddy": "# Not: header_up -Authorization",
        "traefik": "# basicAuth with removeHeader: true takes it away.",
    },
)

OTHER_KEY = FindingType(
    "other-key",
    "warning",
    "The server has another secret key, or another OCI_SERVICE, than this command.",
    "Either each process makes up its own, and docker is refused after every restart;"
    " or this command does not run in the server's environment, and looks at another"
    " application than clients do.",
    {
        "python": 'SECRET_KEY = os.environ["SECRET_KEY"]',
        "command": "systemd-run --pty --property=EnvironmentFile=/etc/forge.env flask oci"
        " check",
    },
)

OTHER_DATABASE = FindingType(
    "other-database",
    "warning",
    "The server does not know what this command has recorded.",
    "It has another database, or another secret key. What flask oci does, it does not"
    " to what your clients see.",
    {
        "command": "systemd-run --pty --property=EnvironmentFile=/etc/forge.env flask oci"
        " check",
    },
)

HEADERS_STRIPPED = FindingType(
    "headers-stripped",
    "warning",
    "Headers of the registry's answers are lost.",
    "Clients compare Docker-Content-Digest with what they got, and some take an address"
    " without Docker-Distribution-Api-Version for no registry.",
    {
        "nginx": "# Not: proxy_hide_header Docker-Content-Digest;\n\n# Where nginx sends the"
        " files:\nlocation /_oci_blobs/ {\n    add_header Docker-Content-Digest"
        " $upstream_http_docker_content_digest;\n}",
        "apache": "# Not: Header unset Docker-Content-Digest",
        "caddy": "# Not: header -Docker-*",
        "traefik": "# Not: customResponseHeaders with empty values",
    },
)
