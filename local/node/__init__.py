"""The one-node cluster: its processes, network, certificates and storage on this machine."""
