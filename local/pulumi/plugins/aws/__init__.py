"""The stand-in for the aws plugin: the resource types that this program declares, with boto3.

It accepts endpoints on this machine only, of the AWS emulator moto. It is for rehearsals and for
previews without credentials.
"""
