"""Which certificates are issued again, and which files of an existing cluster are kept."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.node import certificates
from local.paths import Paths

KUBECONFIG = "apiVersion: v1\nkind: Config\n"
AUTHORITIES = {"ca.key", "ca.crt", "front-proxy-ca.key", "front-proxy-ca.crt"}
TOKEN_KEY = {"sa.key", "sa.pub"}


def write_certificate(file: Path, days: float) -> None:
    """Write a certificate that expires in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file.stem)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def issue(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """Return a function that issues certificates and returns the files that kubeadm finds."""
    remaining: list[set[str]] = []

    def kubeadm(paths: Paths, *arguments: str) -> str:
        remaining.append({entry.name for entry in paths.pki.iterdir()})
        if arguments[:2] == ("init", "phase"):
            (paths.pki / "super-admin.conf").write_text(KUBECONFIG)
            return ""
        return f"WARNING: long validity\n{KUBECONFIG}"

    def issue_certificates() -> set[str]:
        certificates.issue(paths)
        return remaining[0]

    monkeypatch.setattr(certificates, "_kubeadm", kubeadm)
    paths.pki.mkdir(parents=True)
    for name in ("ca", "front-proxy-ca", "apiserver"):
        write_certificate(paths.pki / f"{name}.crt", 365)
        (paths.pki / f"{name}.key").touch()
    for name in ("sa.key", "sa.pub", "admin.conf"):
        (paths.pki / name).touch()
    return issue_certificates


def test_issue_keeps_authorities_and_token_key_only(issue: Callable[[], set[str]]) -> None:
    assert issue() == AUTHORITIES | TOKEN_KEY


def test_issue_replaces_files_of_the_first_layout(
    paths: Paths, issue: Callable[[], set[str]]
) -> None:
    for name in TOKEN_KEY:
        (paths.pki / name).unlink()
    for name in ("complete", "service-account.key", "proxy.kubeconfig", "front-proxy.crt"):
        (paths.pki / name).touch()
    (paths.pki / "kubelet-serving").mkdir()
    assert issue() == AUTHORITIES


@pytest.mark.parametrize("days", [-1, 29])
def test_issue_replaces_expiring_authority(
    paths: Paths, issue: Callable[[], set[str]], days: float
) -> None:
    write_certificate(paths.pki / "ca.crt", days)
    assert issue() == (AUTHORITIES | TOKEN_KEY) - {"ca.key", "ca.crt"}


@pytest.mark.parametrize("missing", ["sa.pub", "sa.key"])
def test_issue_replaces_incomplete_pair(
    paths: Paths, issue: Callable[[], set[str]], missing: str
) -> None:
    (paths.pki / missing).unlink()
    assert issue() == AUTHORITIES


def test_issue_replaces_truncated_authority(paths: Paths, issue: Callable[[], set[str]]) -> None:
    (paths.pki / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    assert "ca.key" not in issue()


def test_issue_writes_kubeconfigs_without_the_warning_of_kubeadm(
    paths: Paths, issue: Callable[[], set[str]]
) -> None:
    issue()
    proxy = paths.pki / "kube-proxy.conf"
    assert proxy.read_text() == KUBECONFIG
    assert proxy.stat().st_mode & 0o077 == 0
    assert paths.kubeconfig.read_text() == KUBECONFIG


@pytest.mark.parametrize(("days", "expected"), [(365, False), (29, True), (-1, True)])
def test_expire_soon_reports_any_certificate(
    paths: Paths, issue: Callable[[], set[str]], days: float, expected: bool
) -> None:
    write_certificate(paths.pki / "apiserver.crt", days)
    assert certificates.expire_soon(paths) is expected
