#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Booted with an initramfs of initramfs-tools that reserves ENTRIES: the igb and the
plain NVMe have never had a host driver, whether the initramfs has these drivers
(DRIVERS=early) or only the root file system (late); nor has what is plugged in later.
The disk with the root file system is none to reserve."""
import os
import sys

sys.dont_write_bytecode = True
from machine import Monitor, kernel_log
# pylint: disable=wrong-import-order
from e2e import DISK, PF, conf, driver, gone, loads, main, must, note, read, run, wait_until

OTHER_DISK = '0000:02:00.0'
ROOT_DISK = '0000:00:18.0'
# Two cards of a sort, told by their serial numbers.
CARD, TWIN = '52:54:00:de:0a:01', '52:54:00:de:0a:02'


def reserved():
    """The addresses that the module has reserved."""
    return read('/sys/module/devirt/parameters/reserved').split()


def has_driven(name, address):
    """Has the kernel's log a word of that driver about this function?"""
    return any(f' {name} {address}: ' in line and 'devirt: ' not in line or
               f'pci function {address}' in line for line in kernel_log().splitlines())


def never(tap, what, address, name):
    """Checks that it is reserved, and that no driver of the host has seen it."""
    tap.equal(driver(address), 'vfio-pci', f'{what}: with vfio-pci')
    tap.ok(address in reserved(), f'{what}: reserved', reserved())
    tap.ok(f'{address}: devirt: reserved for ' in kernel_log(), f'{what}: the log says so')
    tap.ok(not has_driven(name, address), f'{what}: {name} has never had it')


def boot(tap):
    """What was there when it was booted."""
    log = kernel_log()
    never(tap, 'the igb', PF, 'igb')
    never(tap, 'the plain NVMe', DISK, 'nvme')
    tap.ok(os.path.exists('/sys/bus/pci/drivers/igb') and driver(OTHER_DISK) == 'nvme' and
           has_driven('nvme', OTHER_DISK), 'both drivers are loaded, and have what is theirs')
    mounted, loaded = log.find('EXT4-fs (vd'), log.find('igb: Intel(R)')
    tap.ok(0 <= log.find(f'{PF}: devirt: reserved') < min(mounted, loaded),
           'reserved before the root file system is mounted, and before the driver loads')
    early = os.environ['DRIVERS'] == 'early'
    tap.equal(loaded < mounted, early, f'the initramfs has {"the" if early else "no"} driver')
    tap.ok(f'{ROOT_DISK}: devirt: not reserved for 1af4:1001: the host needs it' in log,
           "the root file system's disk is kept", ROOT_DISK)
    tap.equal(driver(ROOT_DISK), 'virtio-pci', 'and the machine has booted from it')


def told(tap):
    """What the tool says of it."""
    devices = {one['address']: one for one in
               loads(must('devirt', 'devices', '--json'))['devices']}
    tap.equal([address for address, one in sorted(devices.items()) if one['reserved']],
              [PF, DISK], "'devirt devices' tells what is reserved")
    tap.ok(f'{DISK}' in must('devirt', 'devices') and 'reserved' in must('devirt', 'devices'),
           'in its table too')
    items = {one['item']: one for one in loads(run('devirt', 'check', '--json').stdout)['items']}
    tap.equal(items['reserved']['state'], 'ok', "'devirt check' counts them")

    must('devirt', 'create', conf('lab', device_data={'address': DISK}))
    tap.equal(driver(DISK), 'vfio-pci', 'a lease takes a reserved function')
    must('devirt', 'release', 'lab')
    gone('lab')
    never(tap, 'back from its lease', DISK, 'nvme')
    result = run('devirt', 'create', conf('lab', vf_nic={'pf': PF, 'pool': 1}))
    tap.ok(result.returncode == 1 and 'reserved' in result.stderr,
           'VFs of a reserved function are refused, and why', result.stderr)


def plugged(tap):
    """What is plugged in later."""
    monitor = Monitor()
    slot = monitor.plug('e1000e', 8, netdev='net8', mac='52:54:00:de:08:01')
    never(tap, 'plugged into the reserved slot', slot, 'e1000e')

    twin = monitor.plug('e1000e', 9, netdev='net9', mac=TWIN)
    wait_until(lambda: driver(twin) == 'e1000e', "the twin's driver")
    tap.ok(twin not in reserved() and has_driven('e1000e', twin),
           "a second card of that sort is the host's", reserved())
    card = monitor.plug('e1000e', 10, netdev='net10', mac=CARD)
    never(tap, 'the card with the serial number', card, 'e1000e')

    # They change places.
    monitor.unplug(9)
    monitor.unplug(10)
    tap.ok(card not in reserved(), 'unplugged, and forgotten', reserved())
    must('dmesg', '--clear')
    card = monitor.plug('e1000e', 9, netdev='net9', mac=CARD)
    never(tap, 'the card in another slot', card, 'e1000e')
    twin = monitor.plug('e1000e', 10, netdev='net10', mac=TWIN)
    wait_until(lambda: driver(twin) == 'e1000e', "the twin's driver")
    tap.ok(twin not in reserved(), 'and its twin in the slot that it had', reserved())
    return slot, card


def test(tap):
    """Boot, tool, hot-plug, and the module's end."""
    boot(tap)
    told(tap)
    cards = plugged(tap) if os.environ['DRIVERS'] == 'late' else ()
    must('rmmod', 'devirt')
    for address, name in ((PF, 'igb'), (DISK, 'nvme'), *((card, 'e1000e') for card in cards)):
        wait_until(lambda address=address, name=name: driver(address) == name, f'{address} back')
    tap.ok(True, 'without the module all of it is the host\'s')
    note(f'reserved: {PF} {DISK} {" ".join(cards)}')


main(test)
