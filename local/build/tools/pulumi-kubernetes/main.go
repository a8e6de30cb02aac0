// The official Kubernetes provider of Pulumi, started as its own command starts it. That command
// embeds two generated files which its module lacks: schema.json is written at build time from the
// module's schema (local/tools/build.py); the mapping to Terraform is not used.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

func main() { provider.Serve("kubernetes", version.Version, schema, []byte("{}")) }
