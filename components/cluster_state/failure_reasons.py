"""Log why a workload did not become Available, under its name in Pulumi's diagnostics.

The Kubernetes provider's own message lacks the scheduler's reason, evictions and quotas, and may
only say "containers with unready status: [model]".
"""

import copy

import pulumi

from components.cluster_state.availability import DEPLOYMENTS, STATEFUL_SETS, read_workload
from components.cluster_state.client import ClusterClient, ClusterUnavailableError
from components.pulumi_patches import log_error

_KINDS = {
    "kubernetes:apps/v1:Deployment": ("Deployment", DEPLOYMENTS),
    "kubernetes:apps/v1:StatefulSet": ("StatefulSet", STATEFUL_SETS),
}


def log_failure_reasons(cluster: ClusterClient | None, namespace: str) -> None:
    """Register an error hook for all workloads that are declared afterwards.

    A preview creates no Pods, so it needs no hook. The state stores only the hook's name; changing
    it does not change the resource.
    """
    if cluster is None or pulumi.runtime.is_dry_run():
        return

    # Not a coroutine: the SDK's threads may all wait for registrations that wait for this hook.
    def log_reason(failure: pulumi.ErrorHookArgs) -> bool:
        if failure.failed_operation in ("create", "update"):
            text = failure_text(cluster, namespace, failure.type, failure.name)
            if text:
                log_error(text, failure.urn)
        return False  # never retry

    hook = pulumi.ErrorHook("log-failure-reason", log_reason)
    hooks = pulumi.ResourceHookBinding(on_error=[hook])

    def bind(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        if args.type_ not in _KINDS:
            return None
        opts = copy.copy(args.opts)
        opts.hooks = hooks
        return pulumi.ResourceTransformationResult(args.props, opts)

    pulumi.runtime.register_stack_transformation(bind)


def failure_text(cluster: ClusterClient, namespace: str, token: str, name: str) -> str:
    """Return why a workload is not Available; empty if something else failed or is unknown."""
    kind, plural = _KINDS[token]
    try:
        workload = read_workload(cluster, namespace, plural, name)
    except ClusterUnavailableError as error:
        return f"{kind} {namespace}/{name}: cannot read why it failed: {error}"
    if workload is None or not workload.reason:
        return ""
    deadline = workload.deadline_seconds
    within = f" within {deadline} s" if deadline is not None else ""
    return (
        f"{kind} {namespace}/{name} did not become Available{within}: {workload.reason}\n"
        f"See `kubectl -n {namespace} describe pods -l {workload.selector}`."
    )
