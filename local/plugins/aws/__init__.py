"""The stand-in for the aws plugin: the types that this program declares, on boto3.

It speaks to an address of this machine only, where a stand-in for AWS (moto) answers: it is for
rehearsals, and for previews without credentials.
"""
