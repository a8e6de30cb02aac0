"""A preview of any stack without its credentials: what cannot be looked at is said, not guessed.

The stack file is read without what keeps its secrets: each needs a stand-in, so that the program
finds it. State, cluster and account are taken to be empty.
"""

from __future__ import annotations

import copy
from pathlib import Path

from local.plugins.access import mapping
from local.plugins.values import Object

UNSEEN = (
    "the stack's state: everything is shown as if it were new",
    "the cluster: whether a published version changed, what traffic flows now",
    "the account of AWS: whether its ids lead to anything",
    "the values of secrets: each has a stand-in",
)
"""What such a preview must say that it could not look at."""

_KEEPERS = ("encryptionsalt", "encryptedkey", "secretsprovider")

_KUBECONFIG = """\
# Nobody answers here: a preview without a cluster.
apiVersion: v1
kind: Config
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: nobody, user: {}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
current-context: nowhere
"""


def without_secrets(file: Object) -> tuple[Object, list[str]]:
    """A stack file that anybody can read, and the names of the secrets that it had."""
    plain = copy.deepcopy(file)
    for key in _KEEPERS:
        plain.pop(key, None)
    config = mapping(plain, "config")
    names = [key for key, value in config.items() if isinstance(value, dict) and "secure" in value]
    for name in names:
        del config[name]
    return plain, names


def nowhere(folder: Path) -> Path:
    """A kubeconfig of a cluster that does not answer."""
    path = folder / "nowhere.kubeconfig"
    path.write_text(_KUBECONFIG)
    return path
