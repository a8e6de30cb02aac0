"""The provider protocol, spoken to the process that the engine would start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local.pulumi.plugins.properties import decode, encode
from local.pulumi.plugins.versions import version_of

ROOT = Path(__file__).parents[4]
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


def urn(token: str) -> str:
    return f"urn:pulumi:test::test::{token}::thing"


@pytest.fixture(scope="module")
def aws() -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    command = [sys.executable, "-P", "-m", "local.pulumi.plugins.aws"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout
        with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
        process.terminate()
    assert process.returncode == 0


def test_plugin_has_the_version_of_the_sdk(aws: provider_pb2_grpc.ResourceProviderStub) -> None:
    assert aws.GetPluginInfo(empty_pb2.Empty()).version == version_of("aws")


def test_engine_gets_no_secrets_to_send_and_previews(
    aws: provider_pb2_grpc.ResourceProviderStub,
) -> None:
    settings = provider_pb2.CheckRequest(news=encode({"region": "eu-central-1"}))
    assert decode(aws.CheckConfig(settings).inputs) == {"region": "eu-central-1"}
    variables = {"aws:config:region": "eu-central-1"}
    configured = aws.Configure(provider_pb2.ConfigureRequest(variables=variables))
    assert (configured.acceptSecrets, configured.supportsPreview) == (False, True)


def test_check_diff_and_predicted_create(aws: provider_pb2_grpc.ResourceProviderStub) -> None:
    inputs = {"repository": "iris", "policy": "{}"}
    wrong = provider_pb2.CheckRequest(urn=urn(LIFECYCLE), news=encode({**inputs, "tags": {}}))
    assert [failure.property for failure in aws.Check(wrong).failures] == ["tags"]
    changed = encode({**inputs, "policy": "[]"})
    request = provider_pb2.DiffRequest(
        urn=urn(LIFECYCLE), old_inputs=encode(inputs), olds=encode(inputs), news=changed
    )
    difference = aws.Diff(request)
    assert difference.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert (list(difference.diffs), list(difference.replaces)) == (["policy"], ["policy"])
    assert difference.deleteBeforeReplace
    same = provider_pb2.DiffRequest(urn=urn(LIFECYCLE), old_inputs=changed, news=changed)
    assert aws.Diff(same).changes == provider_pb2.DiffResponse.DIFF_NONE
    create = provider_pb2.CreateRequest(urn=urn(LIFECYCLE), properties=changed, preview=True)
    assert decode(aws.Create(create).properties) == decode(changed)


def test_refusal_names_the_type(aws: provider_pb2_grpc.ResourceProviderStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        aws.Check(provider_pb2.CheckRequest(urn=urn("aws:rds/instance:Instance")))
    assert refused.value.details().startswith("The stand-in for the aws provider has no aws:rds")
    with pytest.raises(grpc.RpcError) as refused:
        aws.Invoke(provider_pb2.InvokeRequest(tok="aws:index/getRegion:getRegion"))
    assert "has no function aws:index/getRegion:getRegion" in refused.value.details()
