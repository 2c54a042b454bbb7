#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A whole NVMe controller goes to a guest and back, with its data.

Refused while its disk is mounted, and the refusal names the mount. Unmounted it
is leased, with all other kinds beside it; the guest reads what the host wrote and
writes what the host reads; all is as it was when the guest has powered off.
"""
import hashlib
import os
import sys

sys.dont_write_bytecode = True
from e2e import (ALL, DISK, SYSFS, WORK, Guest, conf, driver, exists, gone, leased, loads, main,
                 must, restored, run, snapshot, wait_until)

MOUNT = os.path.join(WORK, 'data')

SCRIPT = '''
n=0
until [ -b /dev/nvme0n1 ]; do n=$((n+1)); [ $n -lt 600 ] || exit 9; usleep 50000; done
mount -t ext4 /dev/nvme0n1 /mnt || exit 8
echo in=$(sha256sum </mnt/from-host)
dd if=/dev/urandom of=/mnt/from-guest bs=64k count=48 2>/dev/null
echo out=$(sha256sum </mnt/from-guest)
umount /mnt || exit 7
echo written
read go </dev/ttyS0
'''


def disk():
    """The block device of the controller, or None."""
    base = f'{SYSFS}/{DISK}/nvme'
    for controller in os.listdir(base) if os.path.isdir(base) else []:
        for name in os.listdir(f'{base}/{controller}'):
            if name.startswith('nvme') and os.path.exists(f'/dev/{name}') and 'n1' in name:
                return f'/dev/{name}'
    return None


def digest(path):
    """SHA-256 of a file, read from the disk itself."""
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def refused(tap, path, device):
    """While it is mounted."""
    before = snapshot()
    result = run('devirt', 'run', path, '--', 'true')
    tap.equal(result.returncode, 125, 'mounted: run refuses, and starts nothing')
    tap.ok(DISK in result.stderr and device in result.stderr and MOUNT in result.stderr
           and 'unmount' in result.stderr,
           'mounted: the error names controller, disk, mount and remedy', result.stderr)
    result = run('devirt', 'create', '--json', path)
    tap.equal(result.returncode, 1, 'mounted: create refuses')
    error = (loads(result.stdout) or {}).get('error', {})
    tap.equal((error.get('reason'), error.get('error')), ('block-claimed', 'EBUSY'),
              'mounted: --json says why')
    tap.ok(MOUNT in error.get('message', '') and 'unmount' in error.get('remedy', ''),
           'mounted: --json names the mount and the remedy', result.stdout)
    tap.ok(not exists('nvme'), 'mounted: nothing is held')
    restored(tap, before, 'mounted')
    with open(f'{MOUNT}/from-host', 'rb') as file:
        tap.ok(file.read(1), 'mounted: the host still reads from it')


def test(tap):
    """All of it."""
    path = conf('nvme', **ALL)
    os.mkdir(MOUNT)
    device = disk()
    must('mount', device, MOUNT)
    with open(f'{MOUNT}/from-host', 'wb') as file:
        file.write(os.urandom(3 << 20))
    given = digest(f'{MOUNT}/from-host')
    refused(tap, path, device)

    must('umount', MOUNT)
    before = snapshot()
    vm = Guest(path, SCRIPT, 'nvme,crc32c_generic,ext4')
    vm.wait_for('written')
    tap.equal(driver(DISK), 'vfio-pci', 'unmounted: the guest has the controller')
    tap.ok(disk() is None and not os.path.exists(device),
           'the host has no such disk meanwhile', disk())
    leased(tap, before)
    vm.say('go')
    tap.equal((vm.wait(), vm.status), (0, 0), 'the guest ends well')
    gone('nvme')
    tap.equal((vm.value('in') or '').split(' ')[0], given, 'the guest read what the host wrote')

    tap.equal(driver(DISK), 'nvme', "the host's driver has it again")
    wait_until(disk, 'the disk')
    must('udevadm', 'settle')
    device = disk()
    check = run('e2fsck', '-f', '-n', device)
    tap.equal(check.returncode, 0, 'the file system is clean')
    must('mount', device, MOUNT)
    tap.equal(digest(f'{MOUNT}/from-guest'), (vm.value('out') or '').split(' ')[0],
              'the host reads what the guest wrote')
    tap.equal(digest(f'{MOUNT}/from-host'), given, 'and what it wrote itself')
    must('umount', MOUNT)
    restored(tap, before, 'after a normal end')


main(test)
