"""The embedded default ground: tools, a one-node cluster, its images, stand-in plugins."""
