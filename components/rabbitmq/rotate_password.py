"""`python -m components.rabbitmq.rotate_password watcher`: give a RabbitMQ user a new password.

Uses kubectl's current context. RabbitMQ keeps a user's open connections when its password changes,
and the watcher's Pods are replaced one by one: events are stored in the cluster meanwhile, so none
is lost. Run `pulumi refresh` afterwards: the state then holds the new value, too.

Consumers may read the Secret later. docs/production.md describes the rotation with a second
user, which locks no consumer out.
"""

import argparse
import base64
import json
import secrets
import subprocess
import sys
from collections.abc import Mapping

from components.rabbitmq.broker_config import NAME, USERS_FILE
from components.rabbitmq.broker_credentials import (
    ADMINISTRATOR,
    CONSUMER,
    WATCHER,
    hash_password,
    password_key,
)

_RESTARTED = {WATCHER: "deployment/deployment-watcher"}
"""The workload that reads a user's password from its environment."""


def rotated(data: Mapping[str, str], user: str, password: str) -> dict[str, str]:
    """Return the changed keys of the Secret's data (base64) for a new password of `user`."""
    definitions = json.loads(base64.b64decode(data[USERS_FILE]))
    for row in definitions["users"]:
        if row["name"] == user:
            row["password_hash"] = hash_password(password)
    return {
        password_key(user): base64.b64encode(password.encode()).decode(),
        USERS_FILE: base64.b64encode(json.dumps(definitions).encode()).decode(),
    }


def rotate(namespace: str, user: str) -> None:
    """Change the password in the Secret and in RabbitMQ, then restart what reads it.

    The Secret comes first: a node that restarts in between loads the new one. Raises
    `subprocess.CalledProcessError` where kubectl fails; running it again is safe.
    """

    def kubectl(*arguments: str, stdin: str = "") -> str:
        command = ("kubectl", "--namespace", namespace, *arguments)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=True)
        return done.stdout

    data = json.loads(kubectl("get", "secret", NAME, "-o", "json"))["data"]
    password = secrets.token_urlsafe(24)
    patch = json.dumps({"data": rotated(data, user, password)})
    kubectl("patch", "secret", NAME, "--type=merge", "--patch-file=/dev/stdin", stdin=patch)
    # from standard input: the operator's machine shows the arguments of kubectl to everybody.
    # rabbitmqctl 4.0 itself reads no password from a pipe.
    change = ("sh", "-c", 'read -r new; exec rabbitmqctl --quiet change_password "$0" "$new"', user)
    kubectl("exec", "-i", f"{NAME}-0", "--", *change, stdin=f"{password}\n")
    if user in _RESTARTED:
        kubectl("rollout", "restart", _RESTARTED[user])
        kubectl("rollout", "status", _RESTARTED[user], "--timeout=300s")


def main() -> int:
    """Rotate the password of the user that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m components.rabbitmq.rotate_password")
    parser.add_argument("user", choices=[WATCHER, CONSUMER, ADMINISTRATOR])
    parser.add_argument("--namespace", default="models", help="the stack's namespace")
    arguments = parser.parse_args()
    try:
        rotate(arguments.namespace, arguments.user)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"kubectl failed: {error.stderr.strip()}\n  -> fix it and run again\n")
        return 1
    sys.stderr.write(f"{arguments.user}: password changed; now run `pulumi refresh`\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
