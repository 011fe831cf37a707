"""User models: keys, names of tables and columns, bases, databases."""

from __future__ import annotations

import typing as t
import uuid
from pathlib import Path

import flask_sqlalchemy_lite
import pytest
import sqlalchemy as sa
from flask import Flask
from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import MappedAsDataclass

from flask_oci import Registry
from tests.support.database_servers import postgresql

from .application import database
from .application import Host
from .application import StandardUser
from .docker import tell_story

MakeHost = t.Callable[..., Host]


@pytest.mark.shape("Integer keys")
def test_users_with_integer_keys_work(make_host: MakeHost) -> None:
    """The model of Flask-SQLAlchemy's documentation."""
    db = database()

    class User(UserMixin, db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str]

    host = make_host(db, User)
    tell_story(host.app)
    assert host.owner_of("alice/app") == 1


@pytest.mark.shape("String keys")
def test_users_with_string_keys_work(make_host: MakeHost) -> None:
    """The user name is the key."""
    db = database()

    class User(UserMixin, db.Model):
        username: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
        password: Mapped[str]

        def get_id(self) -> str:
            return self.username

    host = make_host(db, User)
    tell_story(host.app)
    assert host.owner_of("alice/app") == "alice"


@pytest.mark.shape("UUID keys")
def test_users_with_uuid_keys_work(make_host: MakeHost) -> None:
    """The foreign key has the type of the user's key."""
    db = database()

    class User(UserMixin, db.Model):
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str]

    host = make_host(db, User)
    tell_story(host.app)
    assert isinstance(host.owner_of("alice/app"), uuid.UUID)


@pytest.mark.shape("Other names of tables and columns")
def test_users_with_other_table_and_column_names_work(make_host: MakeHost) -> None:
    """The table, its key and its name column have unusual names."""
    db = database()

    class Account(UserMixin, db.Model):
        __tablename__ = "people"

        number: Mapped[int] = mapped_column("account_no", primary_key=True)
        login: Mapped[str] = mapped_column("login_name", sa.String(80), unique=True)
        password: Mapped[str] = mapped_column("pw")

        def get_id(self) -> str:
            return str(self.number)

    host = make_host(db, Account, username="login")
    tell_story(host.app)
    assert host.owner_of("alice/app") == 1


@pytest.mark.shape("A user table in a schema")
def test_users_in_a_schema_work(make_host: MakeHost) -> None:
    """The foreign key names the schema; the registry uses the default one."""
    db = database()

    class User(StandardUser, db.Model):
        __table_args__: t.ClassVar[t.Any] = {"schema": "accounts"}

    host = make_host(db, User, prepare=attach_accounts)
    tell_story(host.app)
    assert host.owner_of("alice/app") == 1


@pytest.mark.real
@pytest.mark.parametrize("schema", [None, "accounts"])
def test_users_in_a_postgresql_schema_work(
    make_host: MakeHost, schema: str | None
) -> None:
    """A real schema, either of the users only or of all tables."""
    db = database(sa.MetaData(schema=schema))

    class User(StandardUser, db.Model):
        __table_args__: t.ClassVar[t.Any] = {"schema": "accounts"}

    def make_schema(engine: sa.Engine) -> None:
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema("accounts"))

    with postgresql(durable=False) as url:
        host = make_host(db, User, prepare=make_schema, SQLALCHEMY_DATABASE_URI=url)
        tell_story(host.app)
        tables = sa.inspect(host.engine()).get_table_names(schema)
        host.close()
    assert "oci_tag" in tables


@pytest.mark.shape("All tables in a schema")
def test_all_tables_in_a_schema_work(make_host: MakeHost) -> None:
    """The registry's tables are in the schema of the host's metadata."""
    db = database(sa.MetaData(schema="accounts"))

    class User(StandardUser, db.Model):
        pass

    host = make_host(db, User, prepare=attach_accounts)
    tell_story(host.app)
    assert host.registry.models.Tag.__table__.fullname == "accounts.oci_tag"


def attach_accounts(engine: sa.Engine) -> None:
    """Attach a database as the schema ``accounts``, as SQLite does."""
    with engine.connect() as connection:
        connection.exec_driver_sql("ATTACH ':memory:' AS accounts")


@pytest.mark.shape("Flask-SQLAlchemy's own base, of before SQLAlchemy 2")
def test_users_with_legacy_model_work(make_host: MakeHost) -> None:
    """The model uses ``db.Column`` instead of annotations."""
    db: t.Any = SQLAlchemy()

    class User(UserMixin, db.Model):
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80), unique=True)
        password = db.Column(db.String(80))

    tell_story(make_host(db, User).app)


@pytest.mark.shape("Models that are dataclasses")
@pytest.mark.parametrize("whose", ["base", "model"])
def test_dataclass_base_of_host_does_not_affect_registry_tables(
    make_host: MakeHost, whose: str
) -> None:
    """The registry's tables do not use the host's base class."""
    if whose == "base" and sa.__version__ >= "2.1":
        pytest.skip("Flask-SQLAlchemy 3.1 takes no such base on SQLAlchemy 2.1")
    on_base = whose == "base"
    bases = (MappedAsDataclass, DeclarativeBase) if on_base else (DeclarativeBase,)
    db: t.Any = SQLAlchemy(model_class=type("Base", bases, {}))
    mixin: t.Any = type("Mixin", (), {}) if on_base else MappedAsDataclass

    class User(UserMixin, mixin, db.Model):
        id: Mapped[int] = mapped_column(init=False, primary_key=True)
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str]

    tell_story(make_host(db, User).app)


@pytest.mark.shape("Common columns on the base")
def test_common_columns_of_host_are_not_in_registry_tables(make_host: MakeHost) -> None:
    """The columns that all host tables have are not in the registry's tables."""

    class Base(DeclarativeBase):
        comment: Mapped[str] = mapped_column(sa.String(80), default="")

    db: t.Any = SQLAlchemy(model_class=Base)

    class User(StandardUser, db.Model):
        pass

    host = make_host(db, User)
    tell_story(host.app)
    assert "comment" not in host.registry.models.Tag.__table__.c


@pytest.mark.shape("A naming convention")
def test_naming_convention_of_host_names_registry_constraints(
    make_host: MakeHost,
) -> None:
    """The host's naming convention also names the registry's constraints."""
    db = database(
        sa.MetaData(
            naming_convention={
                "ix": "ix_%(column_0_label)s",
                "uq": "uq_%(table_name)s_%(column_0_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
                "pk": "pk_%(table_name)s",
            }
        )
    )

    class User(StandardUser, db.Model):
        pass

    host = make_host(db, User)
    tell_story(host.app)
    names = {c.name for c in host.registry.models.Repository.__table__.constraints}
    assert "fk_oci_repository_owner_id_user" in names


@pytest.mark.shape("Several databases")
def test_users_in_another_bind_have_registry_tables_beside_them(
    make_host: MakeHost,
) -> None:
    """The registry's tables are in the same database as the users."""
    db = database()

    class User(StandardUser, db.Model):
        __bind_key__ = "people"

    binds = {"people": "sqlite://", "logs": "sqlite://"}
    host = make_host(db, User, SQLALCHEMY_BINDS=binds)
    tell_story(host.app)
    with host.app.app_context():
        tables = {key: sa.inspect(e).get_table_names() for key, e in db.engines.items()}
    assert "oci_tag" in tables["people"]
    assert tables[None] == tables["logs"] == []


@pytest.mark.shape("Kinds of users, each in a table of its own")
def test_users_with_joined_table_inheritance_work(make_host: MakeHost) -> None:
    """The registry gets the base model of the hierarchy."""
    db = database()

    class User(UserMixin, db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str] = mapped_column(sa.String(20))
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str]
        __mapper_args__: t.ClassVar[t.Any] = {
            "polymorphic_on": "kind",
            "polymorphic_identity": "user",
        }

    class Developer(User):
        id: Mapped[int] = mapped_column(sa.ForeignKey("user.id"), primary_key=True)
        __mapper_args__: t.ClassVar[t.Any] = {"polymorphic_identity": "developer"}

    def make(name: str, password: str) -> t.Any:
        return Developer(username=name, password=password)

    tell_story(make_host(db, User, users=make).app)


@pytest.mark.shape("A session that does not flush, or keeps what it has read")
@pytest.mark.parametrize("options", [{"autoflush": False}, {"expire_on_commit": False}])
def test_session_options_of_host_do_not_affect_registry(
    make_host: MakeHost, options: dict[str, bool]
) -> None:
    """The registry does not rely on autoflush or on expiry."""
    db = database(session_options=options)

    class User(StandardUser, db.Model):
        pass

    tell_story(make_host(db, User).app)


@pytest.mark.shape("Flask-SQLAlchemy-Lite")
def test_host_with_flask_sqlalchemy_lite_works(tmp_path: Path) -> None:
    """Its session exists only within an application context, and its models have their
    own base."""
    db = flask_sqlalchemy_lite.SQLAlchemy()

    class Base(DeclarativeBase):
        pass

    class User(UserMixin, Base):
        __tablename__ = "user"

        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str]

    registry = Registry(db, User)

    @registry.authenticate
    def check(username: str, secret: str) -> User | None:
        user = db.session.scalar(sa.select(User).filter_by(username=username))
        return user if user and user.password == secret else None

    app = Flask("forge", instance_path=str(tmp_path))
    app.config["SECRET_KEY"] = "only for tests"
    app.config["SQLALCHEMY_ENGINES"] = {"default": "sqlite://"}
    db.init_app(app)
    registry.init_app(app)
    app.register_blueprint(registry.api_blueprint)
    with app.app_context():
        Base.metadata.create_all(db.engine)
        db.session.add(User(username="alice", password="wonderland"))
        db.session.add(User(username="bob", password="builder"))
        db.session.commit()
    tell_story(app)
    with app.app_context():
        assert registry.repositories.find("alice/app").exists
    with app.app_context():
        db.engine.dispose()


@pytest.mark.shape("Keys of several columns")
def test_users_with_composite_key_are_refused() -> None:
    """The error at the start says which kind of key the registry needs."""
    db = database()

    class User(UserMixin, db.Model):
        realm: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
        username: Mapped[str] = mapped_column(sa.String(80), primary_key=True)

    with pytest.raises(TypeError, match="primary key is one column"):
        Registry(db, User)


@pytest.mark.shape("Users without a name")
def test_users_without_username_attribute_are_refused() -> None:
    """The error at the start asks for the attribute with the name."""
    db = database()

    class User(UserMixin, db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(sa.String(80), unique=True)

    with pytest.raises(TypeError, match=r"Registry\(db, User, username='login'\)"):
        Registry(db, User)
