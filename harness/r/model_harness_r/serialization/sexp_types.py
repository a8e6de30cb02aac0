"""The types and flags of R's serialization format, version 2, little-endian binary.

R's `unserialize` and `serialize` take 3 us where a JSON parser for R takes 100, numbers keep every
digit, and no R package is required. Version 3 would write 1:n in a special form. Source: R
Internals, section "Serialization Formats", and serialize.c of R.
"""

import struct

HEADER = struct.pack("<2siii", b"B\n", 2, 0x00040202, 0x00020300)

NULL = 254
SYMBOL = 1
PAIRLIST = 2
CALL = 6
CHARACTER = 9  # an element of STRINGS
LOGICAL = 10
INTEGER = 13
DOUBLE = 14
STRINGS = 16
LIST = 19
POINTER = 22
MISSING_ARGUMENT = 251
REFERENCE = 255  # to an earlier symbol

IS_OBJECT = 0x100  # has a class
HAS_ATTRIBUTES = 0x200
HAS_TAG = 0x400
TYPE_MASK = 0xFF

# The encoding flags of a CHARACTER.
ASCII_TEXT = 0x40000 | CHARACTER
UTF8_TEXT = 0x8000 | CHARACTER
LATIN1_BIT = 0x4000
BYTES_BIT = 0x2000

NA_INTEGER = -(2**31)  # also of logicals
NA_DOUBLE = bytes.fromhex("a20700000000f07f")  # a NaN whose low word is 1954

I32 = struct.Struct("<i")
F64 = struct.Struct("<d")
