# SPDX-License-Identifier: GPL-2.0
"""The ioctls, for what the tool would never ask (uapi/linux/devirt.h)."""
import ctypes
import fcntl
import os
import struct

KIND_PCI, KIND_VF, KIND_MEMORY, KIND_CPU = 1, 2, 4, 5
ROLE_VCPU = 1
VF_ANY = 0xffffffff
REASON_PAGES_SHORT = 50
RECORD_SIZE = 288


def _number(number):
    return 0xde << 8 | number


def _address(text):
    domain, bus, rest = text.split(':')
    slot, function = rest.split('.')
    return struct.pack('<IBBH', int(domain, 16), int(bus, 16),
                       int(slot, 16) << 3 | int(function), 0)


def _record(kind, body, node=-1):
    return struct.pack('<IIi20x', kind, 0, node) + body.ljust(128, b'\0') + bytes(128)


def pci(address):
    """A record for a whole function."""
    return _record(KIND_PCI, _address(address))


def vf(pf, pool):
    """A record for any VF."""
    return _record(KIND_VF, _address(pf) + bytes(8) + struct.pack('<II', VF_ANY, pool))


def memory(pages, size=2 << 20):
    """A record for huge pages on node 0."""
    return _record(KIND_MEMORY, struct.pack('<QQ', size, pages), node=0)


def cpu(number, vcpu):
    """A record for a vCPU's CPU."""
    return _record(KIND_CPU, struct.pack('<III', number, ROLE_VCPU, vcpu))


def apply(name, records):
    """Applies a description to a new partition, and closes that again.

    Returns errno or 0, the index of the record refused, and its reason.
    """
    device = os.open('/dev/devirt', os.O_RDWR | os.O_CLOEXEC)
    partition = fcntl.ioctl(device, _number(1),
                            bytearray(struct.pack('<II64s', 72, 0, name.encode())))
    data = ctypes.create_string_buffer(b''.join(records))
    argument = bytearray(struct.pack('<IIQIIII', 32, 0, ctypes.addressof(data), len(records),
                                     RECORD_SIZE, 0, 0))
    error = 0
    try:
        fcntl.ioctl(partition, _number(3), argument)
    except OSError as problem:
        error = problem.errno
    os.close(partition)
    os.close(device)
    failed = struct.unpack_from('<I', argument, 24)[0]
    reason = 0
    if failed < len(records):
        reason = struct.unpack_from('<I', data.raw, failed * RECORD_SIZE + 16)[0]
    return error, failed, reason
