"""The types that the stand-in knows, by token."""

from __future__ import annotations

from local.plugins.aws.kind import Kind
from local.plugins.aws.kinds import balancing, buckets, repositories, security, targets

KINDS: dict[str, Kind] = {
    kind.type_name: kind
    for kind in (
        *(balancing.LoadBalancer(), balancing.Listener(), balancing.Record()),
        *(targets.TargetGroup(), targets.Attachment()),
        *(security.SecurityGroup(), security.IngressRule()),
        *(buckets.Bucket(), buckets.Policy(), buckets.PublicAccessBlock()),
        *(buckets.Encryption(), buckets.Lifecycle()),
        *(repositories.Repository(), repositories.Lifecycle(), repositories.Policy()),
    )
}
