"""Stand-ins for the Pulumi provider plugins that a package registry alone does not serve.

They are used only where the official plugin is neither installed nor downloadable; the Pulumi
program does not know which one it talks to (docs/adr/0004-stand-in-plugins.md).
"""
