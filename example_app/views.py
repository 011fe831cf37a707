"""The pages of the forge, and `flask create-user`."""

from __future__ import annotations

import re

import click
import flask_login
from flask import abort
from flask import Blueprint
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import HTTPException
from werkzeug.security import generate_password_hash

from .models import add
from .models import db
from .models import NAME
from .models import Project
from .models import User
from .registry import check_password

NAME_RULE = "Use up to 64 of a-z and 0-9, with single dots, dashes or underscores."
#: A path of this site. Browsers read `//host` and `/\host` as another site, and
#: drop tabs and line breaks before they look.
LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\s\x00-\x1f]*")

views = Blueprint("views", __name__, cli_group=None)
login_manager = flask_login.LoginManager()
login_manager.login_view = "views.login"


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_user(user_id: str) -> User | None:
    """Find who a session, or a token of the registry, belongs to."""
    return db.session.get(User, int(user_id))


@views.get("/")
def index() -> str:
    """Say what to type next, and list the visitor's projects."""
    return render_template("index.html")


@views.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Ask for a name and a password, then go where the visitor was going."""
    error = None
    if request.method == "POST":
        user = check_password(request.form["username"], request.form["password"])
        if user and flask_login.login_user(user):
            target = request.args.get("next", "")
            home = url_for("views.index")
            return redirect(target if LOCAL_PATH.fullmatch(target) else home)
        # Only who knows the password learns that the account is switched off.
        error = "This account is switched off." if user else "Wrong name or password."
    return render_template("login.html", error=error), 422 if error else 200


@views.post("/logout")
def logout() -> ResponseReturnValue:
    """Forget the visitor."""
    flask_login.logout_user()
    return redirect(url_for("views.index"))


@views.route("/projects/new", methods=["GET", "POST"])
@flask_login.login_required  # type: ignore[untyped-decorator]
def create_project() -> ResponseReturnValue:
    """Make a project of the visitor's own."""
    error = None
    if request.method == "POST":
        name, text = request.form["name"], request.form["description"][:200]
        project = Project(owner_id=current_user.id, name=name, description=text)
        if not NAME.fullmatch(name):
            error = NAME_RULE
        elif not add(project):
            error = "You have a project of this name already."
        else:
            owner = current_user.username
            return redirect(url_for("views.project", owner=owner, name=name))
    return render_template("new.html", error=error), 422 if error else 200


@views.get("/projects/<owner>/<name>")
@flask_login.login_required  # type: ignore[untyped-decorator]
def project(owner: str, name: str) -> str:
    """Show a project to its owner and to administrators."""
    query = db.select(Project).join(User).filter(User.username == owner)
    found = db.session.scalar(query.filter(Project.name == name))
    # What a visitor may not see cannot be told from what is not there.
    if not found or not (found.owner == current_user or current_user.is_admin):
        abort(404)
    return render_template("project.html", project=found)


def error_page(error: HTTPException) -> ResponseReturnValue:
    """Say what went wrong, in the forge's own clothes."""
    return render_template("error.html", error=error), error.code or 500


@views.cli.command("create-user")
@click.argument("name")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@click.option("--admin", is_flag=True, help="May see everybody's projects.")
def create_user(name: str, password: str, admin: bool) -> None:
    """Make an account that can sign in and push images."""
    if not NAME.fullmatch(name):
        raise click.ClickException(f"{name!r} cannot name a user. {NAME_RULE}")
    secret = generate_password_hash(password)
    if not add(User(username=name, password_hash=secret, is_admin=admin)):
        raise click.ClickException(f"There is a user {name!r} already.")
    click.echo(f"Made the account {name}.")
