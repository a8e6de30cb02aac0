"""Installation of Pulumi's provider plugins, and stand-ins for docker and aws.

A stand-in is used if the official plugin is neither installed nor downloadable
(docs/adr/0004-emulated-providers.md).
"""
