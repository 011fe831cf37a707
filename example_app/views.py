"""The pages of the forge, and `flask create-user`."""

from __future__ import annotations

import re

import click
import flask_login
from flask import abort
from flask import Blueprint
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException
from werkzeug.security import generate_password_hash

from .models import commit
from .models import db
from .models import find_project
from .models import find_user
from .models import Member
from .models import NAME
from .models import Project
from .models import ROLES
from .models import User
from .models import VISIBILITIES
from .registry import check_password
from .registry import registry

NAME_RULE = "Use up to 64 of a-z and 0-9, with single dots, dashes or underscores."
#: A path of this site. Browsers read `//host` and `/\host` as another site, and
#: first remove tabs and line breaks.
LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\s\x00-\x1f]*")

views = Blueprint("views", __name__, cli_group=None)
login_manager = flask_login.LoginManager()
login_manager.login_view = "views.login"


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_user(user_id: str) -> User | None:
    """Find the user of a session, or of a token of the registry."""
    return db.session.get(User, int(user_id))


@views.get("/")
def index() -> str:
    """Show how to push an image, and list the visitor's projects."""
    return render_template("index.html")


@views.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Ask for a name and a password, then redirect to the page that asked for them."""
    error = None
    if request.method == "POST":
        user = check_password(request.form["username"], request.form["password"])
        if user and flask_login.login_user(user):
            target = request.args.get("next", "")
            home = url_for("views.index")
            return redirect(target if LOCAL_PATH.fullmatch(target) else home)
        # Only a visitor who knows the password learns that the account is disabled.
        error = "This account is disabled." if user else "Wrong name or password."
    return render_template("login.html", error=error), 422 if error else 200


@views.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign the visitor out."""
    flask_login.logout_user()
    return redirect(url_for("views.index"))


@views.route("/projects/new", methods=["GET", "POST"])
@flask_login.login_required  # type: ignore[untyped-decorator]
def create_project() -> ResponseReturnValue:
    """Create a project that the visitor owns."""
    error = None
    if request.method == "POST":
        name, text = request.form["name"], request.form["description"][:200]
        if not NAME.fullmatch(name):
            error = NAME_RULE
        else:
            owner, key = current_user.username, current_user.id
            db.session.add(Project(owner_id=key, name=name, description=text))
            if commit():
                return redirect(url_for("views.project", owner=owner, name=name))
            error = "You already have a project with this name. Choose another name."
    return render_template("new.html", error=error), 422 if error else 200


@views.app_context_processor
def heading() -> dict[str, object]:
    """Let the registry's pages show the project of an image."""
    return {"project_of": project_of}


def project_of(path: str, action: str = "pull") -> Project | None:
    """Return the project of an image if the visitor may do this to it, or None."""
    visitor = current_user if current_user.is_authenticated else None
    project = find_project(path)
    return project if project and project.allows(visitor, action) else None


def get_project(owner: str, name: str, action: str) -> Project:
    """Return a project if the visitor may do this to it; otherwise abort."""
    project = project_of(f"{owner}/{name}", action)
    if project is None:
        # The answer is the same for a hidden project and for one that does not exist.
        abort(404 if current_user.is_authenticated else login_manager.unauthorized())
    return project


@views.get("/projects/<owner>/<name>")
def project(owner: str, name: str) -> str:
    """Show a project, and its settings to its owner."""
    return render_template("project.html", project=get_project(owner, name, "pull"))


@views.post("/projects/<owner>/<name>")
def change_project(owner: str, name: str) -> ResponseReturnValue:
    """Change the name and the visibility of a project."""
    project = get_project(owner, name, "manage")
    new, visibility = request.form["name"], request.form["visibility"]
    if not (NAME.fullmatch(new) and visibility in VISIBILITIES):
        abort(400, NAME_RULE)

    def change() -> None:
        project.name, project.visibility = new, visibility

    paths = f"{owner}/{name}", f"{owner}/{new}"
    try:
        # Clients can still pull by the old names. An image of another user below the
        # project's name is not part of the project, and keeps its name.
        registry.repositories.rename(
            *paths, owned_by=project.owner, by=current_user, within_transaction=change
        )
    except (ValueError, IntegrityError):
        flash("A project or an image already has this name. Choose another name.")
        new = name
    return redirect(url_for("views.project", owner=owner, name=new))


@views.post("/projects/<owner>/<name>/members")
def set_member(owner: str, name: str) -> ResponseReturnValue:
    """Give a user a role in a project, or remove the user from it."""
    project, role = get_project(owner, name, "manage"), request.form["role"]
    user = find_user(request.form["username"])
    if user is None or user == project.owner:
        flash("No other user has this name. Check the spelling.")
    elif role in ROLES:
        db.session.merge(Member(project_id=project.id, user_id=user.id, role=role))
    else:
        project.members = [m for m in project.members if m.user != user]
    commit()
    return redirect(url_for("views.project", owner=owner, name=name))


@views.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Report the health of the registry to a monitor."""
    health = registry.health()
    return health.as_dict(), 200 if health.ok else 503


def error_page(error: HTTPException) -> ResponseReturnValue:
    """Show an error on a page of the forge."""
    return render_template("error.html", error=error), error.code or 500


@views.cli.command("create-user")
@click.argument("name")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@click.option("--admin", is_flag=True, help="Allow every action on all projects.")
def create_user(name: str, password: str, admin: bool) -> None:
    """Create an account that can sign in and push images."""
    if not NAME.fullmatch(name):
        raise click.ClickException(f"Invalid user name {name!r}. {NAME_RULE}")
    secret = generate_password_hash(password)
    db.session.add(User(username=name, password_hash=secret, is_admin=admin))
    if not commit():
        raise click.ClickException(f"User {name!r} already exists.")
    click.echo(f"Created the account {name}.")
