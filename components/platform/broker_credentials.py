"""RabbitMQ's users and their passwords, made here and kept.

Made anew in each run and ignored in all but the first (`ignore_changes`), like the default
certificate: passwords in the stack file would be one more thing to set before a first start, a
provider for them one more plugin to fetch. All in one Secret, since RabbitMQ's file of users holds
hashes of the same passwords. For new ones delete it, `pulumi refresh`, `pulumi up`, and restart
broker and watcher.
"""

import base64
import hashlib
import json
import secrets

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.platform.broker_config import COOKIE_FILE, EXCHANGE, NAME, USERS_FILE

WATCHER, CONSUMER, ADMINISTRATOR = "watcher", "consumer", "administrator"

_NOTHING, _ALL = "^$", ".*"
_OTHERS = "^(?!model-)"
"""Exchanges and queues that are not this project's."""
_RIGHTS = {
    WATCHER: {"configure": _NOTHING, "write": f"^{EXCHANGE}$", "read": _NOTHING},
    CONSUMER: {"configure": _OTHERS, "write": _OTHERS, "read": _ALL},
    ADMINISTRATOR: {"configure": _ALL, "write": _ALL, "read": _ALL},
}
_SALT_BYTES = 4
"""As RabbitMQ has it."""


def password_key(user: str) -> str:
    """Where in the Secret a user's password is."""
    return f"{user}-password"


def credentials(meta: ObjectMetaArgsDict, opts: pulumi.ResourceOptions) -> Secret:
    """The Secret with every user's password, RabbitMQ's file of users, and the nodes' cookie."""
    return Secret(
        NAME,
        metadata=meta,
        type="Opaque",
        string_data={key: pulumi.Output.secret(value) for key, value in generated().items()},
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(ignore_changes=["stringData"])
        ),
    )


def generated() -> dict[str, str]:
    """New values for all keys of the Secret."""
    passwords = {user: secrets.token_urlsafe(24) for user in _RIGHTS}
    return {
        **{password_key(user): password for user, password in passwords.items()},
        USERS_FILE: json.dumps(_users(passwords)),
        COOKIE_FILE: secrets.token_urlsafe(24),
    }


def _users(passwords: dict[str, str]) -> dict[str, object]:
    """The definitions of users and what each may do."""
    return {
        "vhosts": [{"name": "/"}],
        "users": [
            {
                "name": user,
                "password_hash": _hashed(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"] if user == ADMINISTRATOR else [],
                "limits": {},
            }
            for user, password in passwords.items()
        ],
        "permissions": [{"user": user, "vhost": "/", **_RIGHTS[user]} for user in passwords],
    }


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
