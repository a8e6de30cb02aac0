"""The network load balancer in front of Traefik's node ports.

The load balancer terminates TLS. It passes the client's address in a PROXY header, which Traefik
trusts only from inside the VPC. Preserving the client's IP instead would require a Traefik on every
node, and fails if a client is itself a node.
"""

from dataclasses import dataclass

import pulumi
from pulumi_aws import autoscaling, ec2, lb, route53, vpc

from components.aws.access_logs import AccessLogs, access_logs
from components.aws.account import StackReferences
from components.config import AwsSpec, LoadBalancerSpec

NAME = "load-balancer"
HEALTH_CHECK_PATH = "/ping"
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
"""TLS 1.2 with forward secrecy and 1.3, with post-quantum key exchange: AWS's recommendation.
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html"""

_HTTPS, _HTTP = 443, 80
_REDIRECT = f"{NAME}-redirect"
_DRAIN_SECONDS = 60
"""Deregistration delay: time for a node that leaves its group to finish requests."""
_CHECK_SECONDS = 10
_CHECKS = 2
"""Consecutive health checks after which a node becomes unhealthy, or healthy again."""


@dataclass(frozen=True)
class LoadBalancerArgs:
    """The account of a load balancer and the node ports that it forwards to.

    With `redirect_port` it also listens for plain HTTP, which Traefik redirects to HTTPS.
    """

    hostname: str
    node_port: int
    ping_port: int
    redirect_port: int | None
    account: AwsSpec
    stack_references: StackReferences
    spec: LoadBalancerSpec


class LoadBalancer(pulumi.ComponentResource):
    """The load balancer with listeners, target groups, security group, log and DNS record."""

    def __init__(
        self,
        name: str,
        args: LoadBalancerArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("model-deployment:platform:LoadBalancer", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        logs = access_logs(args.spec.access_logs, args.account, self._child)
        group = self._security()
        balancer = self._balancer(logs, group)
        lb.Listener(
            NAME,
            load_balancer_arn=balancer.arn,
            port=_HTTPS,
            protocol="TLS",
            ssl_policy=TLS_POLICY,
            certificate_arn=self._args.stack_references.resolve(args.spec.certificate.arn),
            default_actions=self._forward(NAME, args.node_port, named=True),
            opts=self._child,
        )
        if args.redirect_port is not None:
            lb.Listener(
                _REDIRECT,
                load_balancer_arn=balancer.arn,
                port=_HTTP,
                protocol="TCP",
                default_actions=self._forward(_REDIRECT, args.redirect_port, named=False),
                opts=self._child,
            )
        route53.Record(
            NAME,
            zone_id=self._args.stack_references.resolve(args.spec.record.zone),
            name=args.hostname,
            type="A",
            aliases=[
                route53.RecordAliasArgs(
                    name=balancer.dns_name, zone_id=balancer.zone_id, evaluate_target_health=True
                )
            ],
            opts=self._child,
        )
        self.register_outputs({"address": balancer.dns_name})

    def _security(self) -> ec2.SecurityGroup:
        """Allow clients to reach the listeners, and the load balancer its node ports.

        The load balancer's rules are inline, so that a rule added by hand is detected and removed.
        The nodes' group belongs to the user: this stack only adds rules to it.
        """
        nodes = self._args.stack_references.resolve(self._args.account.nodes.security_group)
        ports = {"models": self._args.node_port, "ping": self._args.ping_port}
        listens = {"Clients": _HTTPS}
        if self._args.redirect_port is not None:
            ports["redirect"] = self._args.redirect_port
            listens["Clients, sent on to HTTPS"] = _HTTP
        group = ec2.SecurityGroup(
            NAME,
            description="Load balancer of the models",
            vpc_id=self._args.stack_references.resolve(self._args.account.vpc.id),
            ingress=[
                ec2.SecurityGroupIngressArgs(
                    description=description,
                    protocol="tcp",
                    from_port=port,
                    to_port=port,
                    cidr_blocks=[*self._args.spec.clients],
                )
                for description, port in listens.items()
            ],
            egress=[
                ec2.SecurityGroupEgressArgs(
                    description=f"Nodes, {reason}",
                    protocol="tcp",
                    from_port=port,
                    to_port=port,
                    security_groups=[nodes],
                )
                for reason, port in ports.items()
            ],
            opts=self._child,
        )
        for reason, port in ports.items():
            vpc.SecurityGroupIngressRule(
                f"{NAME}-{reason}",
                security_group_id=nodes,
                description=f"Load balancer of the models, {reason}",
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                referenced_security_group_id=group.id,
                opts=self._child,
            )
        return group

    def _balancer(self, logs: AccessLogs, group: ec2.SecurityGroup) -> lb.LoadBalancer:
        spec = self._args.spec
        return lb.LoadBalancer(
            NAME,
            load_balancer_type="network",
            internal=spec.scheme == "internal",
            subnets=[self._args.stack_references.resolve(subnet.id) for subnet in spec.subnets],
            security_groups=[group.id],
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=spec.deletion_protection,
            access_logs=lb.LoadBalancerAccessLogsArgs(bucket=logs.bucket, enabled=True),
            # AWS checks the bucket's policy before it enables access logs
            opts=pulumi.ResourceOptions.merge(
                self._child, pulumi.ResourceOptions(depends_on=[logs.policy])
            ),
        )

    def _forward(self, name: str, port: int, *, named: bool) -> list[lb.ListenerDefaultActionArgs]:
        """Forward to a port of every node; `named`: whether with a PROXY header."""
        targets = self._targets(name, port, named=named)
        for place, nodes in enumerate(self._args.account.nodes.autoscaling_groups):
            autoscaling.Attachment(
                f"{name}-{place}",
                autoscaling_group_name=self._args.stack_references.resolve(nodes),
                lb_target_group_arn=targets.arn,
                opts=self._child,
            )
        return [lb.ListenerDefaultActionArgs(type="forward", target_group_arn=targets.arn)]

    def _targets(self, name: str, port: int, *, named: bool) -> lb.TargetGroup:
        return lb.TargetGroup(
            name,
            vpc_id=self._args.stack_references.resolve(self._args.account.vpc.id),
            target_type="instance",
            protocol="TCP",
            port=port,
            preserve_client_ip="false",
            proxy_protocol_v2=named,
            deregistration_delay=_DRAIN_SECONDS,
            health_check=lb.TargetGroupHealthCheckArgs(
                protocol="HTTP",
                port=str(self._args.ping_port),
                path=HEALTH_CHECK_PATH,
                matcher="200",
                interval=_CHECK_SECONDS,
                healthy_threshold=_CHECKS,
                unhealthy_threshold=_CHECKS,
            ),
            opts=self._child,
        )
