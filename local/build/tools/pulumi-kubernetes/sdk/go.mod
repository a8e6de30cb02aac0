// The part of Pulumi's generated Go SDK that the provider itself uses (docs/adr/0004).
module github.com/pulumi/pulumi-kubernetes/sdk/v4

go 1.25.6

require github.com/pulumi/pulumi/sdk/v3 v3.215.0
