"""The cluster's certificates and kubeconfigs, made once and kept with the cluster's state.

The names and groups are those that Kubernetes' built-in RBAC roles expect:
https://kubernetes.io/docs/setup/best-practices/certificates/
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: A local stack's certificates outlive the machine that it runs on.
LIFETIME = datetime.timedelta(days=3650)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Authority:
    """A certificate authority that signs the certificates of one purpose."""

    key: Key
    certificate: x509.Certificate


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _name(common: str, group: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + LIFETIME)
    )


def _authority(folder: Path, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"model-deployment {name}")
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / f"{name}.key", _pem(key))
    return Authority(key, certificate)


def _issue(
    folder: Path, authority: Authority, file: str, subject: x509.Name, hosts: tuple[str, ...] = ()
) -> None:
    """Write ``file.crt`` and ``file.key``, a server's with ``hosts``, else a client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = _builder(subject, authority.certificate.subject, key).add_extension(
        x509.ExtendedKeyUsage([usage]), critical=False
    )
    if hosts:
        names: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            for host in hosts
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    _write(folder / f"{file}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / f"{file}.key", _pem(key))


def kubeconfig(folder: Path, user: str, server: str, path: Path, name: str) -> None:
    """Write a kubeconfig for the client certificate ``user`` with everything embedded."""

    def inline(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": inline("ca.crt")}
    credentials = {
        "client-certificate-data": inline(f"{user}.crt"),
        "client-key-data": inline(f"{user}.key"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    _write(path, yaml.safe_dump(config).encode())


def create(folder: Path, node: str, hosts: tuple[str, ...]) -> None:
    """Make all keys and certificates below ``folder``, unless they are there and whole."""
    done = folder / "complete"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca = _authority(folder, "ca")
    _issue(folder, ca, "apiserver", _name("kube-apiserver"), hosts)
    for file, subject in {
        "admin": _name("model-deployment-admin", "system:masters"),
        "apiserver-kubelet": _name("kube-apiserver-kubelet", "system:masters"),
        "controller-manager": _name("system:kube-controller-manager"),
        "scheduler": _name("system:kube-scheduler"),
        "proxy": _name("system:kube-proxy"),
        "kubelet": _name(f"system:node:{node}", "system:nodes"),
    }.items():
        _issue(folder, ca, file, subject)
    front_proxy = _authority(folder, "front-proxy-ca")
    _issue(folder, front_proxy, "front-proxy", _name("front-proxy-client"))
    _write(folder / "service-account.key", _pem(rsa.generate_private_key(65537, 2048)))
    done.touch()
