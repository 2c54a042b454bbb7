#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""systemd as the machine's init: it makes virtual functions ahead and a partition
before the network is set up, others when their PF is plugged in, and boots on when one
can't be made.

Called with `prepare` before systemd starts."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from machine import Monitor
# pylint: disable=wrong-import-order
from e2e import PF, driver, exists, loads, main, must, note, run, wait_until, write

# What is plugged into port 8 has this address.
LATE = '0000:06:00.0'
# And into port 9.
LATER = '0000:07:00.0'
# The root file system's.
ROOT_DISK = '0000:00:18.0'

FILES = {
    'early': f'[vf nic]\npf={PF}\n',
    'late': f'[vf nic]\npf={LATE}\npool=2\n',
    'screen': '[mdev screen]\ntype=mbochs-small\n',
    'taken': f'[device disk]\naddress={ROOT_DISK}\n',
}
VFS = f'{PF} 3  # enough for all\n{LATER} 2\n'
# What sets up the network: in the order that devirt has to be before.
NETWORK = '''[Unit]
After=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
[Install]
WantedBy=multi-user.target
'''


def prepare():
    """Files and enabled units, as an admin has them."""
    os.makedirs('/etc/devirt', exist_ok=True)
    for name, text in FILES.items():
        write(f'/etc/devirt/{name}.conf', text)
    write('/etc/devirt/vfs.conf', VFS)
    write('/etc/systemd/system/setup-network.service', NETWORK)
    units = [f'devirt@{name}' for name in (*FILES, 'unwritten')]
    units += ['devirt-vfs', 'setup-network']
    subprocess.run(['systemctl', 'enable', '--quiet', *units], check=True,
                   env={**os.environ, 'SYSTEMD_OFFLINE': '1'})


def show(unit):
    """A unit's properties."""
    return dict(line.split('=', 1) for line in must('systemctl', 'show', unit).splitlines()
                if '=' in line)


def state(name):
    """A partition's unit, or another, in two words: "active exited"."""
    unit = show(name if '-' in name else f'devirt@{name}.service')
    return f'{unit["ActiveState"]} {unit["SubState"]}'


def made(pf):
    """How many VFs a PF has, and who has made them."""
    found = loads(must('devirt', 'vfs', '--json', pf)) or {}
    return found.get('vfs'), found.get('made_by')


def entered(unit):
    """When it was last active, since boot, in microseconds."""
    return int(show(unit)['ActiveEnterTimestampMonotonic'])


def journal(name):
    """What a partition's unit said."""
    return must('journalctl', '--output=cat', f'--unit=devirt@{name}.service')


def booted(tap):
    """All is there, or told; and the boot has ended."""
    run('systemctl', 'is-system-running', '--wait')
    tap.equal(show('multi-user.target')['ActiveState'], 'active', 'the boot has ended')
    tap.equal(state('early'), 'active exited', 'a partition is made at boot')
    tap.ok(exists('early') and driver('0000:01:10.0') == 'vfio-pci', 'and held')
    tap.ok(0 < entered('devirt@early.service') <= entered('network-pre.target') <=
           entered('setup-network.service') <= entered('multi-user.target'),
           'before the network is set up, and before multi-user.target',
           [entered(unit) for unit in ('devirt@early.service', 'network-pre.target',
                                       'setup-network.service', 'multi-user.target')])
    tap.ok('0000:01:10.0' in journal('early'), 'the journal has what was leased',
           journal('early'))
    tap.equal(made(PF), (3, 'ahead'), 'its PF has the VFs that are to be made ahead')
    tap.ok(0 < entered('devirt-vfs.service') <= entered('devirt@early.service'),
           'which come before partitions',
           [entered('devirt-vfs.service'), entered('devirt@early.service')])
    tap.equal((state('devirt-vfs.service'), show('devirt-vfs.service')['StatusText']),
              ('active running', f'waits for {LATER}'), 'nothing waits for a PF that is missing')


def failed(tap):
    """What can't be made."""
    for name, words in (('taken', f'{ROOT_DISK} is in use'),
                        ('unwritten', '/etc/devirt/unwritten.conf: No such file')):
        unit = show(f'devirt@{name}.service')
        tap.equal((unit['ActiveState'], unit['Result']), ('failed', 'exit-code'),
                  f'{name}: a failed unit')
        status = run('systemctl', 'status', '--no-pager', '--full', f'devirt@{name}').stdout
        tap.ok(words in status, f'{name}: its status says why', status)
        tap.ok(not exists(name), f'{name}: nothing is held')


def arrives(tap):
    """Nobody waits for what isn't there, but its own unit."""
    unit = show('devirt@late.service')
    tap.equal(state('late'), 'active running', 'a partition whose PF is missing waits')
    tap.equal(unit['StatusText'], f'waits for {LATE}', 'and says for what')
    tap.ok(0 < entered('devirt@late.service') < entered('multi-user.target') and
           not exists('late'), 'nothing else waits for it')

    monitor = Monitor()
    tap.equal(monitor.plug('igb', 8, netdev='net8'), LATE, 'the PF is plugged in')
    wait_until(lambda: state('late') != 'active running', 'the end of waiting')
    tap.equal(state('late'), 'active exited', 'the partition is made')
    tap.ok(exists('late') and driver('0000:06:10.0') == 'vfio-pci', 'and held')
    tap.ok('0000:06:10.0' in journal('late'), 'the journal says so', journal('late'))

    tap.equal(monitor.plug('igb', 9, netdev='net9'), LATER, 'another PF is plugged in')
    wait_until(lambda: state('devirt-vfs.service') != 'active running', 'the end of waiting')
    tap.equal((state('devirt-vfs.service'), made(LATER)), ('active exited', (2, 'ahead')),
              'and has its VFs')

    unit = show('devirt@screen.service')
    tap.equal((state('screen'), unit['StatusText']),
              ('active running', 'waits for mediated devices of type mbochs-small'),
              'one of mediated devices that nobody makes waits')
    must('modprobe', 'mbochs')
    wait_until(lambda: state('screen') != 'active running', 'the end of waiting')
    tap.equal((state('screen'), exists('screen')), ('active exited', True),
              'and is made when a driver makes them')
    must('systemctl', 'stop', 'devirt@screen')

    must('systemctl', 'stop', 'devirt@early', 'devirt@late')
    tap.ok(not exists('early') and not exists('late') and
           not os.path.exists('/sys/bus/pci/devices/0000:06:10.0'),
           'both are released when their units are stopped')

    monitor.unplug(8)
    must('systemctl', 'start', 'devirt@late')
    tap.equal(state('late'), 'active running', 'it can be started without the PF')
    must('systemctl', 'stop', 'devirt@late')
    tap.equal(state('late'), 'inactive dead', 'and stopped while it waits')

    # Somebody's own is left alone.
    must('devirt', 'create', 'early')
    tap.ok(run('systemctl', 'start', 'devirt@early').returncode and exists('early'),
           'a unit whose partition exists already fails, and leaves that alone')
    must('devirt', 'release', 'early')


def test(tap):
    """The boot, and what comes later."""
    booted(tap)
    failed(tap)
    arrives(tap)
    note(must('systemd-analyze', 'time'))


if sys.argv[1:] == ['prepare']:
    prepare()
else:
    main(test)
