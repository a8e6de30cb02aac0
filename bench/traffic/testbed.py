"""A namespace for benchmarks, with a Traefik like the stack's and versions of models.

Traefik has the program's arguments, routes have the program's objects; the versions are the harness
with `handler.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.traffic.cluster import Manifest, apply, delete, get, kubectl, pods, rolled_out
from components import ports
from components.config import RouteSpec
from components.naming import annotation, labels, object_name, selector
from components.traefik import routes, shared_middlewares
from components.traefik.default_certificate import self_signed
from components.traefik.static_config import (
    READY,
    cli_arguments,
    environment,
    grace_seconds,
    ready_route,
)

TRAEFIK = "ingress-controller"
TRAEFIKS = 2
CALL_SECONDS = 30
"""The longest call, the harness's default."""
_USER = 65532
_PLAIN = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_TMP = {"name": "tmp", "emptyDir": {}}
_TMP_MOUNT = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - the Pod's own


@dataclass(frozen=True)
class Version:
    """A version of a benchmark model."""

    model: str
    name: str
    replicas: int = 1
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def selector(self) -> str:
        """Return the label selector of the version's Pods."""
        return ",".join(f"{key}={value}" for key, value in selector(self.model, self.name).items())


@dataclass(frozen=True)
class Testbed:
    """The namespace, the node port of its Traefik, and the image with the harness."""

    namespace: str
    port: int
    image: str
    traefik_image: str

    def manifest(
        self, api: str, kind: str, name: str, body: Mapping[str, object], **metadata: object
    ) -> dict[str, object]:
        """Build an object of this namespace."""
        about = {"name": name, "namespace": self.namespace, "labels": labels("bench"), **metadata}
        return {"apiVersion": api, "kind": kind, "metadata": about, **body}

    def start(self) -> None:
        """Start Traefik; existing objects are kept."""
        space = {"name": self.namespace, "labels": labels("bench")}
        apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": space}])
        if not self._has_certificate():
            data = {"type": "kubernetes.io/tls", "stringData": self_signed("localhost")}
            apply([self.manifest("v1", "Secret", "certificate", data)])
        apply(self._platform())
        rolled_out(self.namespace, TRAEFIK)

    def stop(self) -> None:
        """Stop all Pods; the objects remain until `remove`."""
        kubectl("-n", self.namespace, "scale", "deployment", "--all", "--replicas=0")

    def remove(self) -> None:
        """Delete all objects at once, without a graceful shutdown."""
        kubectl("-n", self.namespace, "delete", "deployment", "--all")
        kubectl("-n", self.namespace, "delete", "pod", "--all", "--force", "--grace-period=0")
        kubectl("delete", "namespace", self.namespace, "--ignore-not-found")
        kubectl("delete", "ingressclass", self.namespace, "--ignore-not-found")
        for kind in ("clusterrolebinding", "clusterrole"):
            kubectl("delete", kind, f"bench-{self.namespace}", "--ignore-not-found")

    def scale(self, traefiks: int) -> None:
        """Scale Traefik and wait until all replicas are ready."""
        kubectl("-n", self.namespace, "scale", f"deployment/{TRAEFIK}", f"--replicas={traefiks}")
        rolled_out(self.namespace, TRAEFIK)

    def publish(self, *versions: Version) -> None:
        """Deploy versions and wait until they are Available."""
        apply(item for version in versions for item in self._version(version))
        for version in versions:
            rolled_out(self.namespace, object_name(version.model, version.name))

    def retire(self, version: Version) -> None:
        """Delete a version that no route references."""
        delete(self.namespace, self._version(version))

    def route(self, model: str, name: str, spec: RouteSpec) -> list[Manifest]:
        """Return the objects of a route, as the program builds them."""
        route = routes.Route(self.namespace, model, name, spec)
        return [
            self.manifest(
                "traefik.io/v1alpha1",
                item.kind,
                item.name,
                {"spec": item.spec},
                annotations={annotation("weights"): str(spec.weights)}
                if item.carries_weights
                else {},
            )
            for item in routes.objects(route)
        ]

    def latest(self, model: str, version: str) -> list[Manifest]:
        """Return the objects of the route `latest`."""
        route_objects = routes.latest(self.namespace, model, version)
        api = "traefik.io/v1alpha1"
        return [
            self.manifest(api, item.kind, item.name, {"spec": item.spec}) for item in route_objects
        ]

    def addresses(self, version: Version, answered_by: Version) -> list[Manifest]:
        """Return Service and Ingress of a version that is served by another version's Pods."""
        owned = selector(answered_by.model, answered_by.name)
        name = object_name(version.model, version.name)
        paths = routes.version_paths(version.model, version.name)
        ports = [{"name": "http", "port": 80, "targetPort": "http"}]
        return [
            self.manifest(
                "v1",
                "Service",
                name,
                {"spec": {"selector": owned, "ports": ports}},
                annotations=shared_middlewares.service_annotations(self.namespace),
            ),
            self._ingress(name, paths, name, "http", {}),
        ]

    def set_route(self, model: str, name: str, spec: RouteSpec) -> None:
        """Apply a route."""
        apply(self.route(model, name, spec))

    def pods(self, version: Version) -> list[str]:
        """Return the running Pods of a version."""
        return pods(self.namespace, version.selector)

    def traefiks(self) -> list[str]:
        """Return the running Pods of Traefik."""
        return pods(self.namespace, f"app.kubernetes.io/component={TRAEFIK}")

    def _has_certificate(self) -> bool:
        secrets = get("-n", self.namespace, "secrets", "--field-selector=metadata.name=certificate")
        return bool(secrets["items"])

    def _platform(self) -> list[Manifest]:
        api = "traefik.io/v1alpha1"
        rbac = "rbac.authorization.k8s.io/v1"
        account = {"kind": "ServiceAccount", "name": TRAEFIK, "namespace": self.namespace}
        view = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
        read = ["get", "list", "watch"]
        cluster_rules = [
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingressclasses"], "verbs": read},
            {"apiGroups": [""], "resources": ["nodes"], "verbs": read},
        ]
        rules = [
            {"apiGroups": [""], "resources": ["services", "secrets", "configmaps"], "verbs": read},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": read},
            {
                "apiGroups": ["networking.k8s.io"],
                "resources": ["ingresses/status"],
                "verbs": ["update"],
            },
            {"apiGroups": ["traefik.io"], "resources": ["*"], "verbs": read},
        ]
        own_role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": TRAEFIK}
        controller = {"controller": "traefik.io/ingress-controller"}
        labelled = {"labels": {"app.kubernetes.io/component": TRAEFIK}}
        store = {"defaultCertificate": {"secretName": "certificate"}}
        shared = [
            self.manifest(api, item.kind, item.name, {"spec": item.spec})
            for item in shared_middlewares.objects(CALL_SECONDS)
        ]
        service = {
            "type": "NodePort",
            "selector": labelled["labels"],
            "ports": [{"name": "web", "port": 80, "targetPort": "web", "nodePort": self.port}],
        }
        return [
            self.manifest("v1", "ServiceAccount", TRAEFIK, {}),
            self.manifest(rbac, "Role", TRAEFIK, {"rules": rules}),
            self.manifest(
                rbac, "RoleBinding", TRAEFIK, {"roleRef": own_role, "subjects": [account]}
            ),
            {
                "apiVersion": rbac,
                "kind": "ClusterRole",
                "metadata": {"name": f"bench-{self.namespace}", "labels": labels("bench")},
                "rules": cluster_rules,
            },
            {
                "apiVersion": rbac,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"bench-{self.namespace}", "labels": labels("bench")},
                "roleRef": {**view, "name": f"bench-{self.namespace}"},
                "subjects": [account],
            },
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "IngressClass",
                "metadata": {"name": self.namespace, "labels": labels("bench")},
                "spec": controller,
            },
            *shared,
            self.manifest(api, "TLSStore", "default", {"spec": store}),
            self.manifest("v1", "Service", TRAEFIK, {"spec": service}),
            self._ingress(
                f"{TRAEFIK}.ready",
                [f"{READY}/ingress"],
                TRAEFIK,
                "web",
                {"traefik.ingress.kubernetes.io/router.entrypoints": "traefik"},
            ),
            self.manifest(
                api,
                "IngressRoute",
                f"{TRAEFIK}.ready",
                {"spec": ready_route(f"{self.namespace}-{TRAEFIK}-web@kubernetes")},
            ),
            self.manifest("apps/v1", "Deployment", TRAEFIK, {"spec": self._traefik(labelled)}),
        ]

    def _traefik(self, labelled: dict[str, dict[str, str]]) -> dict[str, object]:
        def probe(path: str) -> dict[str, object]:
            return {"httpGet": {"path": path, "port": "traefik"}, "periodSeconds": 1}

        container = {
            "name": "traefik",
            "image": self.traefik_image,
            "args": cli_arguments(self.namespace, self.namespace, CALL_SECONDS),
            "env": [{"name": key, "value": value} for key, value in environment(2**28).items()],
            "ports": [
                {"name": name, "containerPort": port} for name, port in ports.TRAEFIK.items()
            ],
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"memory": "256Mi"},
            },
            "securityContext": _PLAIN,
            "readinessProbe": probe(READY),
            "volumeMounts": [_TMP_MOUNT],
        }
        return {
            "replicas": TRAEFIKS,
            "selector": {"matchLabels": labelled["labels"]},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": labelled,
                "spec": {
                    "serviceAccountName": TRAEFIK,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": grace_seconds(CALL_SECONDS),
                    "securityContext": {"runAsNonRoot": True, "runAsUser": _USER},
                    "containers": [container],
                    "volumes": [_TMP],
                },
            },
        }

    def _ingress(
        self, name: str, paths: list[str], service: str, port: str, annotations: dict[str, str]
    ) -> Manifest:
        backend = {"service": {"name": service, "port": {"name": port}}}
        prefixes = [{"path": path, "pathType": "Prefix", "backend": backend} for path in paths]
        rules = [{"http": {"paths": prefixes}}]
        spec = {"ingressClassName": self.namespace, "rules": rules}
        api = "networking.k8s.io/v1"
        return self.manifest(api, "Ingress", name, {"spec": spec}, annotations=annotations)

    def _version(self, version: Version) -> list[Manifest]:
        name = object_name(version.model, version.name)
        owned = selector(version.model, version.name)
        code = {"data": {"bench_arm.py": Path(__file__).with_name("handler.py").read_text()}}
        return [
            self.manifest("v1", "ConfigMap", "bench-arm", code),
            self.manifest("apps/v1", "Deployment", name, {"spec": self._pods(version, owned)}),
            *self.addresses(version, version),
        ]

    def _pods(self, version: Version, owned: dict[str, str]) -> dict[str, object]:
        environment = {
            "MODEL_NAME": version.model,
            "MODEL_VERSION": version.name,
            "MODEL_HANDLER": "bench_arm:predict",
            **version.environment,
        }
        container = {
            "name": "model",
            "image": self.image,
            "env": [{"name": key, "value": value} for key, value in environment.items()],
            "ports": [
                {"name": "http", "containerPort": 8080},
                {"name": "health", "containerPort": 8081},
            ],
            "resources": {
                # small: all versions of a run must fit on two cores together with the local stack
                "requests": {"cpu": "25m", "memory": "128Mi"},
                "limits": {"memory": "256Mi"},
            },
            "securityContext": _PLAIN,
            "readinessProbe": {
                "httpGet": {"path": "/health/ready", "port": "health"},
                "periodSeconds": 1,
            },
            "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
            "volumeMounts": [
                _TMP_MOUNT,
                {"name": "code", "mountPath": "/opt/model/bench_arm.py", "subPath": "bench_arm.py"},
            ],
        }
        return {
            "replicas": version.replicas,
            "selector": {"matchLabels": owned},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels("bench", version.model, version.name)},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 40,
                    "securityContext": {"runAsNonRoot": True, "runAsUser": _USER},
                    "containers": [container],
                    "volumes": [_TMP, {"name": "code", "configMap": {"name": "bench-arm"}}],
                },
            },
        }
