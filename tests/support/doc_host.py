"""An application made of the documentation's code, and its users."""

from __future__ import annotations

import contextlib
import importlib
import typing as t
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_login import FlaskLoginClient

from flask_oci import Registry
from flask_oci import RepositoryInfo
from flask_oci.testing.requests import basic
from tests.support.doc_blocks import application
from tests.support.registry_client import RegistryClient
from tests.support.statements import collected

NOTHING = frozenset[str]()
READ = frozenset({"pull"})
WRITE = READ | {"push"}
ALL = WRITE | {"delete", "manage"}

#: An anonymous client.
NOBODY = None

Name = str | None
Rights = dict[Name, frozenset[str]]


def only(**rights: frozenset[str]) -> Rights:
    """Return the rights of every user; a user who is not named has none."""
    nothing = dict.fromkeys(("alice", "bob", "carol", NOBODY), NOTHING)
    return nothing | rights


class Host:
    """A reader's application and its users."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        app.test_client_class = FlaskLoginClient
        self.db: t.Any = self.file("models").db
        self.User: t.Any = self.file("models").User
        self.registry: Registry = self.file("registry").registry
        people = ("alice", "bob", "carol")
        self.add(*(self.User(username=name, password_hash="x") for name in people))
        self.people: dict[Name, RegistryClient] = {
            name: self.log_in(name) for name in people
        }
        # The catalog requires a token.
        scope = "registry:catalog:*"
        self.people[NOBODY] = RegistryClient(app).bearer(scope)

    def file(self, name: str) -> t.Any:
        """Return the module of a file that the reader has copied."""
        return importlib.import_module(f"forge.{name}")

    def log_in(self, who: str) -> RegistryClient:
        """Return a client with an access token, because hashing a password is slow."""
        with self.app.app_context():
            secret = self.registry.access_tokens.issue(self.user(who)).secret
        return RegistryClient(self.app, basic(who, secret))

    def user(self, name: Name) -> t.Any:
        """Return a user, within an application context."""
        found = self.db.session.scalar(
            self.db.select(self.User).filter_by(username=name)
        )
        return found if name else None

    @contextlib.contextmanager
    def changes(self) -> t.Iterator[t.Any]:
        """Change the host's rows in a separate context, and commit."""
        with self.app.app_context():
            yield self.db.session
            self.db.session.commit()

    def add(self, *rows: t.Any) -> None:
        """Add rows of the host."""
        with self.changes() as session:
            session.add_all(rows)

    def push(self, who: str, name: str) -> None:
        """Push an image as a user."""
        self.people[who].push_image(name, "v1")

    def browser(self, who: str) -> t.Any:
        """Return a browser in which a user is signed in."""
        with self.app.app_context():
            return self.app.test_client(user=self.user(who))

    def rights(self, name: str) -> Rights:
        """Return each user's rights on a repository, found by requests."""
        return {who: self._rights(who, name) for who in self.people}

    def _rights(self, who: Name, name: str) -> frozenset[str]:
        client = RegistryClient(self.app) if who is None else self.people[who]
        query = {"scope": f"repository:{name}:pull,push,delete"}
        answer = client.get("/v2/token", query=query).get_json()
        scope = answer["scope"].rpartition(":")[2]
        granted = frozenset(filter(None, scope.split(",")))
        pulled = client.get(f"/v2/{name}/manifests/v1").status_code == 200
        assert pulled == ("pull" in granted)
        deleted = client.delete(f"/v2/{name}/manifests/absent")
        assert (deleted.status_code == 404) == ("delete" in granted)
        return granted | self._manages(who, name)

    def _manages(self, who: Name, name: str) -> frozenset[str]:
        # Only pages check it, so no request of a client shows it.
        with self.app.app_context():
            image = self.registry.repositories.find(name)
            may = self.registry.is_allowed(self.user(who), "manage", image)
        return frozenset({"manage"} if may else ())

    def check_lists(self) -> None:
        """Check that each user's lists have exactly the images the user may pull."""
        for who, client in self.people.items():
            listed = client.get("/v2/_catalog").get_json()["repositories"]
            assert set(listed) == self._pullable(who)
        with self.app.app_context():
            images = self._images()
            for who in self.people:
                assert self._found(who) == {
                    image.name
                    for image in images
                    if self.registry.is_allowed(self.user(who), "pull", image)
                }

    def _pullable(self, who: Name) -> set[str]:
        with self.app.app_context():
            names = [image.name for image in self._images()]
        return {name for name in names if "pull" in self._rights(who, name)}

    def _images(self) -> list[RepositoryInfo]:
        names = self.db.session.scalars(sa.select(self.registry.models.Repository.name))
        return [self.registry.repositories.find(name) for name in names]

    def _found(self, who: Name) -> set[str]:
        # The condition alone: no other check may hide a mistake in it.
        may_list = getattr(self.file("registry"), "may_list", None)
        may_list = may_list or self.registry.default_list_filter
        name = self.registry.models.Repository.name
        found = sa.select(name).where(may_list(self.user(who)))
        return set(self.db.session.scalars(found))

    def statements(self, who: Name) -> int:
        """Return the number of statements of the list of repositories."""
        with self.app.app_context():
            engine = self.db.engine
        # A commit empties the read cache, so that earlier requests make no difference.
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE oci_repository SET name = name"))
        with collected(engine) as statements:
            self.people[who].get("/v2/_catalog")
        return len(statements)


@contextlib.contextmanager
def hosted(folder: Path, *sections: str) -> t.Iterator[Host]:
    """Create the application of some sections of the documentation."""
    with application(folder, *sections) as app:
        for name in ("pages", "metrics", "limits"):
            with contextlib.suppress(ModuleNotFoundError):
                file = importlib.import_module(f"forge.{name}")
                _use(app, file)
        made = Host(app)
        yield made
        with app.app_context():
            made.db.engine.dispose()


def _use(app: Flask, file: t.Any) -> None:
    if hasattr(file, "pages"):
        app.register_blueprint(file.pages)
    if hasattr(file, "limiter"):
        file.limiter.init_app(app)
