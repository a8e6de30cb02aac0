"""Certificates and kubeconfigs of the cluster, issued by kubeadm.

kubeadm names the files and their subjects:
https://kubernetes.io/docs/setup/best-practices/certificates/
"""

import datetime
import shutil
from pathlib import Path

from cryptography import x509

from local.build import go_tools
from local.node.config_files import VALIDITY_PERIOD
from local.paths import Paths
from local.shell import run

RENEWAL_PERIOD = datetime.timedelta(days=30)
"""Certificates that expire earlier than this are issued again."""

_PERSISTENT_PAIRS = (
    ("ca.key", "ca.crt"),
    ("front-proxy-ca.key", "front-proxy-ca.crt"),
    ("sa.key", "sa.pub"),
)
"""Files that a restart keeps: Pods trust these authorities and have tokens signed by this key.

kubeadm writes the second file of a pair after the first.
"""


def expire_soon(paths: Paths) -> bool:
    """Return whether a certificate of the cluster has to be renewed."""
    return any(_expires_soon(file) for file in paths.pki.glob("*.crt"))


def issue(paths: Paths) -> None:
    """Issue every certificate and kubeconfig; keep valid authorities and the token key.

    kubeadm keeps files that exist, also expired ones or ones for other addresses. So the files that
    depend on the configuration are removed first.
    """
    paths.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    usable_names = {
        name
        for pair in _PERSISTENT_PAIRS
        if all(_is_usable(paths.pki / name) for name in pair)
        for name in pair
    }
    for entry in paths.pki.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name not in usable_names:
            entry.unlink()
    _kubeadm(paths, "init", "phase", "certs", "all")
    _kubeadm(paths, "init", "phase", "kubeconfig", "all", f"--kubeconfig-dir={paths.pki}")
    _write_kube_proxy_kubeconfig(paths)
    # kubeadm's admin gets its rights from an object in the cluster, the super-admin from its group
    shutil.copy(paths.pki / "super-admin.conf", paths.kubeconfig)


def _is_usable(file: Path) -> bool:
    return file.exists() and not (file.suffix == ".crt" and _expires_soon(file))


def _expires_soon(file: Path) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError:  # truncated, because the process that wrote it was killed
        return True
    return certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC) < RENEWAL_PERIOD


def _write_kube_proxy_kubeconfig(paths: Paths) -> None:
    arguments = ("kubeconfig", "user", "--client-name=system:kube-proxy")
    output = _kubeadm(paths, *arguments, f"--validity-period={VALIDITY_PERIOD}")
    kubeconfig = paths.pki / "kube-proxy.conf"
    kubeconfig.touch(mode=0o600)
    # a warning about the long validity precedes the document
    kubeconfig.write_text(output[output.index("apiVersion:") :])


def _kubeadm(paths: Paths, *arguments: str) -> str:
    binary = go_tools.KUBERNETES.folder(paths) / "kubeadm"
    return run([binary, *arguments, f"--config={paths.state}/etc/kubeadm.yaml"])
