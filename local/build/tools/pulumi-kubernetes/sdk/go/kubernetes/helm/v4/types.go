// Package v4 holds the argument types of a Helm chart (kubernetes:helm.sh/v4:Chart).
package v4

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// RepositoryOptsInput is an input of type RepositoryOpts.
type RepositoryOptsInput interface{ pulumi.Input }

// RepositoryOpts say where a chart is and how to authenticate there.
type RepositoryOpts struct {
	CaFile   pulumi.AssetOrArchive `pulumi:"caFile"`
	CertFile pulumi.AssetOrArchive `pulumi:"certFile"`
	KeyFile  pulumi.AssetOrArchive `pulumi:"keyFile"`
	Password *string               `pulumi:"password"`
	Repo     *string               `pulumi:"repo"`
	Username *string               `pulumi:"username"`
}

// PostRendererInput is an input of type PostRenderer.
type PostRendererInput interface{ pulumi.Input }

// PostRenderer is a command that transforms the rendered manifests.
type PostRenderer struct {
	Args    []string `pulumi:"args"`
	Command string   `pulumi:"command"`
}
