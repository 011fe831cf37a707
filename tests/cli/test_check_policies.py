"""``flask oci check``: policies that no image can meet."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import MakeApp
from tests.support.check_world import check
from tests.support.host import registry
from tests.support.signing import Key
from tests.support.sigstore_instance import SigstoreInstance


def test_check_finds_policies_that_no_image_can_meet(
    make_app: MakeApp, tmp_path: Path
) -> None:
    app, signed = make_app(), "require signature by release"
    with app.app_context():
        registry.images.put_blob("alice/app", b"content")
        registry.image_policies.set([signed], path="alice/*")
        registry.trusted_signers.add("release", key=Key().pem, path="bob/*")
        registry.trusted_signers.add(
            "ci", identity="a@b.c", issuer="https://issuer.example", path="*"
        )
    found = check(app, "--user", "alice").findings
    assert "of alice/*" in found["policy-signer-unknown"]["detail"]
    assert "alice/*" in found["policy-without-time-to-sign"]["detail"]
    assert "ci" in found["signature-root-missing"]["detail"]
    root = tmp_path / "trusted_root.json"
    root.write_text("{}")
    app = make_app(OCI_SIGSTORE_ROOT=str(root))
    found = check(app, "--user", "alice").findings
    assert str(root) in found["signature-root-unusable"]["detail"]
    root.write_bytes(SigstoreInstance().trusted_root())
    found = check(app, "--user", "alice").findings
    assert not {code for code in found if code.startswith("signature-")}
    with app.app_context():
        rules = [signed, "allow 1 hour after push"]
        registry.image_policies.set(rules, path="alice/*")
        registry.trusted_signers.add("release", key=Key().pem, path="alice/*")
    found = check(app, "--user", "alice").findings
    assert not {code for code in found if code.startswith("policy-")}
