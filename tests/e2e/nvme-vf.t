#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A VF of an NVMe controller, which its lease gives queues and vectors, driven by a
guest's own nvme driver: what it writes the host reads through the PF, and the other
way round. One more than there are resources for is refused, and says why.
"""
import hashlib
import mmap
import os
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
from e2e import (SYSFS, Guest, conf, driver, gone, main, must, read, restored, run, snapshot,
                 wait_until, write)

PF = '0000:02:00.0'
SIZE = 1 << 20

SCRIPT = '''
n=0
until [ -b /dev/nvme0n1 ]; do n=$((n+1)); [ $n -lt 600 ] || exit 9; usleep 50000; done
echo queues=$(ls -d /sys/block/nvme0*n1/mq/* | wc -l)
echo vectors=$(grep -c nvme0q /proc/interrupts)
echo in=$(dd if=/dev/nvme0n1 bs=64k count=16 2>/dev/null | sha256sum)
dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null
echo out=$(sha256sum </tmp/data)
dd if=/tmp/data of=/dev/nvme0n1 bs=64k seek=16 count=16 conv=fsync 2>/dev/null || exit 8
dd if=/dev/nvme0n1 bs=64k skip=16 count=16 2>/dev/null | cmp - /tmp/data || exit 7
echo written
read go </dev/ttyS0
'''


def controller():
    """The PF's controller: nvme0."""
    return os.listdir(f'{SYSFS}/{PF}/nvme')[0]


def disk():
    """The namespace that all controllers of the subsystem share, as the PF has it."""
    base = f'{SYSFS}/{PF}/nvme/{controller()}'
    name = [name for name in os.listdir(base) if 'n1' in name and name.startswith('nvme')][0]
    parts = name.split('c')
    # "nvme0c0n1" is a path of nvme0n1
    return f'/dev/{name}' if len(parts) == 1 else f'/dev/{parts[0]}n{name.rsplit("n", 1)[1]}'


def share():
    """Makes the PF's controller share what its VFs could have."""
    name = controller()
    for resource in ('0', '1'):
        must('nvme', 'virt-mgmt', f'/dev/{name}', '-c', '0', '-r', resource, '-a', '1',
             '-n', '0')
    # Without its driver: what that does about a reset lockdep doesn't like on 6.12.
    write(f'{SYSFS}/{PF}/driver/unbind', PF)
    write(f'{SYSFS}/{PF}/reset', 1)
    write('/sys/bus/pci/drivers/nvme/bind', PF)
    wait_until(lambda: read(f'/sys/class/nvme/{controller()}/state') == 'live', 'the controller')
    must('udevadm', 'settle')


def secondary():
    """What the controller of the first VF is: (online, queues, vectors)."""
    found = subprocess.run(
        ['nvme', 'admin-passthru', f'/dev/{controller()}', '--opcode=0x06', '--cdw10=0x15',
         '--data-len=4096', '--read', '--raw-binary'], stdout=subprocess.PIPE, check=True).stdout
    for at in range(32, 32 + 32 * found[0], 32):
        state, number, queues, vectors = struct.unpack_from('<B3xHHH', found, at + 4)
        if number == 1:
            return bool(state & 1), queues, vectors
    raise RuntimeError('no such controller')


def digest(seek):
    """SHA-256 of a megabyte of the disk itself, which wants an aligned buffer."""
    handle = os.open(disk(), os.O_RDONLY | os.O_DIRECT)
    with mmap.mmap(-1, SIZE) as data:
        count = os.preadv(handle, [data], seek)
        os.close(handle)
        return hashlib.sha256(data[:count]).hexdigest()


def test(tap):
    """All of it."""
    share()
    given = os.urandom(SIZE)
    with open(disk(), 'r+b') as file:
        file.write(given)
        os.fsync(file.fileno())
    before = snapshot()
    path = conf('slice', vf_disk={'pf': PF, 'pool': 2, 'queues': 4, 'vectors': 3},
                cpus={'count': 2, 'threads': 2}, memory={'size': '128M'})
    tap.equal(secondary(), (False, 0, 0), "the VF's controller is off line")

    vm = Guest(path, SCRIPT, 'nvme,crc32c_generic')
    vm.wait_for('written')
    tap.equal(secondary(), (True, 4, 3), 'it is on line with what the lease says')
    tap.equal(driver(PF), 'nvme', 'the PF stays with its driver')
    shown = must('devirt', 'show', '--json', 'slice')
    tap.ok('"queues": 4' in shown.replace('":4', '": 4'), 'show --json has the settings', shown)
    shown = must('devirt', 'show', 'slice')
    tap.ok('4 queues, 3 vectors' in ' '.join(shown.split()), 'show tells the settings', shown)
    tap.equal(vm.value('in').split(' ')[0], hashlib.sha256(given).hexdigest(),
              'the guest read what the host wrote')
    tap.equal(digest(SIZE), vm.value('out').split(' ')[0],
              'the host reads what the guest wrote')
    tap.equal((vm.value('queues'), vm.value('vectors')), ('2', '3'),
              "the guest's driver has a queue a vCPU, each with its vector")

    more = conf('more', vf_disk={'pf': PF, 'queues': 6, 'vectors': 6})
    result = run('devirt', 'create', more)
    tap.ok(result.returncode == 1 and "can't have 6 vectors" in result.stderr
           and 'gives a VF 4 at most' in result.stderr, 'too many for one VF', result.stderr)
    rest = conf('rest', vf_disk={'pf': PF, 'queues': 6})
    must('nvme', 'virt-mgmt', f'/dev/{controller()}', '-c', '3', '-r', '0', '-a', '8', '-n', '5')
    result = run('devirt', 'create', rest)
    tap.ok(result.returncode == 1 and "partition 'slice' has 4" in result.stderr
           and "which isn't leased, has 5" in result.stderr,
           'too many for what is left: who has the rest', result.stderr)
    must('nvme', 'virt-mgmt', f'/dev/{controller()}', '-c', '3', '-r', '0', '-a', '8', '-n', '0')

    vm.say('go')
    tap.equal((vm.wait(), vm.status), (0, 0), 'the guest ends well')
    gone('slice')
    tap.equal(secondary(), (False, 0, 0), 'it is off line again, with nothing')
    restored(tap, before, 'after a normal end')


main(test)
