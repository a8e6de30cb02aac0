"""One version of a model: Deployment, Service, PodDisruptionBudget and Ingress."""

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import Ingress

from components.naming import labels, selector
from components.secrets_k8s import declare_secret
from components.serving.autoscaler import declare_autoscaler
from components.serving.deployment import declare_deployment
from components.serving.version_args import COMPONENT, ModelVersionArgs
from components.traefik.routes import version_paths
from components.traefik.shared_middlewares import service_annotations
from components.workloads import SKIP_AWAIT, declare_disruption_budget

SERVICE_PORT = 80


class ModelVersion(pulumi.ComponentResource):
    """Deployment, Service, PodDisruptionBudget and Ingress of one version, with the same name.

    Routes depend on `deployment`, which is ready once the version is Available.
    """

    deployment: Deployment
    service: Service
    ingress: Ingress

    def __init__(
        self, name: str, args: ModelVersionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("model-deployment:serving:ModelVersion", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        meta: ObjectMetaArgsDict = {
            "name": name,
            "namespace": args.namespace,
            "labels": labels(COMPONENT, args.model, args.version),
        }
        meta_unawaited: ObjectMetaArgsDict = {**meta, "annotations": SKIP_AWAIT}
        pods_of_version = selector(args.model, args.version)
        depends_on = [args.tokens] if args.tokens is not None else []
        if args.secrets:
            depends_on.append(declare_secret(name, meta, args.secrets, child))
        self.deployment = declare_deployment(name, args, meta, self, depends_on)
        if args.spec.autoscaling:
            declare_autoscaler(
                name,
                meta_unawaited,
                args.spec.autoscaling,
                pulumi.ResourceOptions(parent=self, depends_on=[self.deployment]),
            )
        self.service = Service(
            name,
            metadata={
                **meta,
                "annotations": {
                    **SKIP_AWAIT,
                    **service_annotations(args.namespace_name),
                },
            },
            spec={
                "selector": pods_of_version,
                "ports": [{"name": "http", "port": SERVICE_PORT, "target_port": "http"}],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.traefik_ready]),
        )
        declare_disruption_budget(name, meta, pods_of_version, child)
        self.ingress = Ingress(
            name,
            metadata=meta_unawaited,
            spec={
                "ingress_class_name": args.ingress_class,
                "rules": [
                    {
                        "http": {
                            "paths": [
                                {
                                    "path": path,
                                    "path_type": "Prefix",
                                    "backend": {
                                        "service": {"name": name, "port": {"name": "http"}}
                                    },
                                }
                                for path in version_paths(args.model, args.version)
                            ]
                        }
                    }
                ],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.service]),
        )
        self.register_outputs({})
