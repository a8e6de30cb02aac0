"""R's serialization, version 2, little-endian binary: the numbers that reader and writer share.

R's own `unserialize` and `serialize` take 3 us where a JSON parser for R takes 100, numbers arrive
exact, and no R package is needed. Version 2, since version 3 writes 1:n as a special form. Source:
R Internals, section "Serialization Formats", and R's serialize.c.
"""

import struct

HEADER = struct.pack("<2siii", b"B\n", 2, 0x00040202, 0x00020300)

NULL = 254
SYMBOL = 1
PAIRLIST = 2
CHARACTER = 9  # one text: what a vector of strings is made of
LOGICAL = 10
INTEGER = 13
DOUBLE = 14
STRINGS = 16
LIST = 19
POINTER = 22
REFERENCE = 255  # to a symbol seen before

HAS_ATTRIBUTES = 0x200
HAS_TAG = 0x400
TYPE_MASK = 0xFF

# Bits of a CHARACTER that tell its encoding.
ASCII_TEXT = 0x40000 | CHARACTER
UTF8_TEXT = 0x8000 | CHARACTER
LATIN1_BIT = 0x4000
BYTES_BIT = 0x2000

NA_INTEGER = -(2**31)  # also of logicals
NA_DOUBLE = bytes.fromhex("a20700000000f07f")  # a NaN whose low word is 1954

I32 = struct.Struct("<i")
F64 = struct.Struct("<d")
