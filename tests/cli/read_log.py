#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads a log by what ipcway-log(5) says and nothing else: each record as SEQUENCE TEXT. Then the position of a share, if one is named."""
import os
import struct
import sys

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def main(path):
    due = ident = None
    for name in sorted(name for name in os.listdir(path) if name.endswith(".log")):
        with open(os.path.join(path, name), "rb") as file:
            data = file.read()
        magic, version, size, this, first, missing, _, check = struct.unpack_from("<8sIIQQQQ12xI", data)
        assert magic == b"IPWLOG\r\n" and version == 1 and size == 64 and check == crc32c(data[:60]), name
        assert int(name[:20]) == first and due in (None, first - missing) and ident in (None, this), name
        due, ident, at, sealed = first, this, 64, False
        while at < len(data):
            assert not sealed, name
            check, length, sequence = struct.unpack_from("<IIQ", data, at)
            sealed = length == 0x80000000
            end = at + 16 + (0 if sealed else length)
            assert sequence == due and end <= len(data), (name, at)
            assert check == crc32c(struct.pack("<Q", ident) + data[at + 4:end]), (name, at)
            if not sealed:
                print(sequence, data[at + 16:end].decode())
                due += 1
            at = end


def sequence_at(path, sequence, offset):
    segment = max(name for name in os.listdir(path) if name.endswith(".log") and int(name[:20]) <= sequence)
    with open(os.path.join(path, segment), "rb") as file:
        return struct.unpack_from("<Q", file.read(), offset + 8)[0]


def position(path, share):
    with open(os.path.join(path, share + ".share"), "rb") as file:
        data = file.read()
    assert len(data) == 8192
    states = []
    for slot in (data[:4096], data[4096:]):
        magic, version, count, generation, _, due, done, seen = struct.unpack_from("<8sIIQQQQQ", slot)
        held, check = struct.unpack_from("<I44xI", slot, 76)
        if magic == b"IPWPOS\r\n" and version == 1 and count <= 160 and check == crc32c(slot[:124]) and held == crc32c(slot[128:128 + 24 * count]):
            entries = [struct.unpack_from("<QIIII", slot, 128 + 24 * i) for i in range(count)]
            assert done == (entries[0][0] if entries else due) and seen >= due
            for sequence, _, _, _, offset in entries:
                assert offset == 0 or sequence_at(path, sequence, offset) == sequence, (sequence, offset)
            states.append((generation, due, [entry[0] for entry in entries]))
    _, due, entries = max(states)
    print(f"{share}: next {due},", f"in hand {entries}" if entries else "all done")


main(sys.argv[1])
if len(sys.argv) > 2:
    position(sys.argv[1], sys.argv[2])
