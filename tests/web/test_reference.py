"""The reference of the REST interface on the pages."""

from __future__ import annotations

import sys

import pytest
from flask import Flask

from tests.support.visitor import Visitor

REFERENCE = "/images/-/reference"


def test_reference_renders_the_document_without_other_servers(app: Flask) -> None:
    """The page needs only files of the application. The stylesheet has no data:
    addresses, which a strict Content-Security-Policy refuses."""
    visitor = Visitor(app)
    page = visitor.get(REFERENCE)
    assert "img-src 'self';" in page.headers["Content-Security-Policy"]
    (place,) = (e for e in page.all("div") if e.get("id") == "reference")
    assert visitor.status(place["data-document"]) == 200
    links = [e["href"] for e in page.all("link")]
    scripts = [e["src"] for e in page.all("script")]
    for address in links + scripts:
        response = visitor.client.get(address)
        assert response.status_code == 200
        assert address.startswith("/")
        if address.partition("?")[0].endswith(".css"):
            assert response.mimetype == "text/css"
            assert "data:" not in response.text
        response.close()
    assert any("swagger-ui.css" in address for address in links)
    assert any("swagger-ui-bundle.js" in address for address in scripts)
    for name in ("index.html", "absent.css", "..%2f__init__.py"):
        assert visitor.status(f"{REFERENCE}/{name}") == 404
    alice = Visitor(app, "alice")
    assert alice.get("/images/-/tokens").links["REST reference"] == REFERENCE


def test_reference_without_swagger_ui_says_how_to_install_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page names the extra, and links to the document."""
    monkeypatch.setitem(sys.modules, "flask_swagger_ui", None)
    page = Visitor(app).get(REFERENCE)
    assert "pip install 'flask-oci[swagger]'" in page.text
    assert page.links["OpenAPI document"] == "/api/oci/v1/openapi.json"
    assert Visitor(app).status(f"{REFERENCE}/swagger-ui.css") == 404


def test_reference_without_rest_interface_does_not_exist(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application without the REST interface has no page and no link."""
    monkeypatch.delitem(app.blueprints, "oci_api")
    alice = Visitor(app, "alice")
    assert alice.status(REFERENCE) == 404
    assert "REST reference" not in alice.get("/images/-/tokens").links
