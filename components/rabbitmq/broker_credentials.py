"""The Secret with RabbitMQ's users and passwords, generated once and kept.

Each run generates new values, and Pulumi ignores them in all runs but the first: see
`components.generated_secret`. One Secret holds all of it, because RabbitMQ's definitions of users
contain hashes of the same passwords. docs/production.md describes the rotation.
"""

import base64
import hashlib
import json
import secrets

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.generated_secret import declare_generated_secret
from components.rabbitmq.broker_config import COOKIE_FILE, EXCHANGE, NAME, USERS_FILE

WATCHER, CONSUMER, ADMINISTRATOR = "watcher", "consumer", "administrator"

_DENY_ALL, _ALL = "^$", ".*"
_NON_MODEL = "^(?!model-)"
"""Pattern of exchanges and queues that do not belong to this project."""
_RIGHTS = {
    WATCHER: {"configure": _DENY_ALL, "write": f"^{EXCHANGE}$", "read": _DENY_ALL},
    CONSUMER: {"configure": _NON_MODEL, "write": _NON_MODEL, "read": _ALL},
    ADMINISTRATOR: {"configure": _ALL, "write": _ALL, "read": _ALL},
}
_SALT_BYTES = 4
"""RabbitMQ's name of the virtual host."""


def password_key(user: str) -> str:
    """Return the Secret's key of a user's password."""
    return f"{user}-password"


def declare_credentials(meta: ObjectMetaArgsDict, opts: pulumi.ResourceOptions) -> Secret:
    """Declare the Secret with the users' passwords, their definitions, and the Erlang cookie."""
    return declare_generated_secret(NAME, {**meta, "name": NAME}, "Opaque", generated(), opts)


def generated() -> dict[str, str]:
    """Generate new values for all keys of the Secret."""
    passwords = {user: secrets.token_urlsafe(24) for user in _RIGHTS}
    return {
        **{password_key(user): password for user, password in passwords.items()},
        USERS_FILE: json.dumps(_users(passwords)),
        COOKIE_FILE: secrets.token_urlsafe(24),
    }


def _users(passwords: dict[str, str]) -> dict[str, object]:
    """Return the definitions of users and their permissions."""
    return {
        "vhosts": [{"name": "/"}],
        "users": [
            {
                "name": user,
                "password_hash": hash_password(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"] if user == ADMINISTRATOR else [],
                "limits": {},
            }
            for user, password in passwords.items()
        ],
        "permissions": [{"user": user, "vhost": "/", **_RIGHTS[user]} for user in passwords],
    }


def hash_password(password: str) -> str:
    """Return a salted hash as RabbitMQ's definitions hold it (rabbit_password_hashing_sha256)."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
