"""Traefik's default TLS certificate.

No entry point serves TLS yet. But without a default certificate, Traefik generates an RSA key at
each change of any route, which takes twenty times as long as the change (95 ms instead of 4 ms).

The certificate is self-signed, generated once and kept (`components.generated_secret`).
"""

import datetime

import pulumi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.generated_secret import declare_generated_secret
from components.traefik import traefik_crds

_SECRET = "ingress-controller.certificate"  # noqa: S105 - a name
_STORE = "default"
"""Traefik accepts no other name, and only one such TLSStore per Traefik."""

_LIFETIME = datetime.timedelta(days=3650)


def declare_default_certificate(
    meta: ObjectMetaArgsDict, hostname: str, opts: pulumi.ResourceOptions
) -> CustomResource:
    """Declare the Secret and the TLSStore that references it, both with `opts`."""
    meta_of_secret: ObjectMetaArgsDict = {**meta, "name": _SECRET}
    secret = declare_generated_secret(
        _SECRET, meta_of_secret, "kubernetes.io/tls", self_signed(hostname), opts
    )
    return CustomResource(
        _STORE,
        api_version=traefik_crds.API_VERSION,
        kind="TLSStore",
        metadata={**meta, "name": _STORE},
        spec={"defaultCertificate": {"secretName": _SECRET}},
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[secret])),
    )


def self_signed(hostname: str) -> dict[str, str]:
    """Generate a key and its certificate, as data of a Secret of type `kubernetes.io/tls`."""
    key = ec.generate_private_key(ec.SECP256R1())
    # a common name has at most 64 characters; the full host name is a subject alternative name
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "model-deployment")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return {"tls.crt": public.decode(), "tls.key": private.decode()}
