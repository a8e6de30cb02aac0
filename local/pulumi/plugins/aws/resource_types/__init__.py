"""The resource types of the stand-in, by type token."""

from local.pulumi.plugins.aws.resource_type import ResourceType
from local.pulumi.plugins.aws.resource_types import buckets, elb, repositories, security, targets

RESOURCE_TYPES: dict[str, ResourceType] = {
    resource_type.type_name: resource_type
    for resource_type in (
        *(elb.LoadBalancer(), elb.Listener(), elb.Record()),
        *(targets.TargetGroup(), targets.Attachment()),
        *(security.SecurityGroup(), security.IngressRule()),
        *(buckets.Bucket(), buckets.Policy(), buckets.PublicAccessBlock()),
        *(buckets.Encryption(), buckets.Lifecycle()),
        *(repositories.Repository(), repositories.Lifecycle(), repositories.Policy()),
    )
}
