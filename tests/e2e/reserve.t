#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""devirt reserve: the file, what it means on this host, and the module's options made
of it. (What the module does with them: tests/selftests/reserve.c, tests/hosts.)"""
import os

from e2e import DISK, PF, driver, loads, main, must, netif, read, run, write

CONF = '/etc/devirt/reserve.conf'
WRITTEN = '/etc/modprobe.d/devirt-reserve.conf'
KERNEL = os.environ.get('DEVIRT_KERNEL', '6.12')
# Where the disks of the root file system are, see scripts/vm.
ROOT_DISKS = ['path:00:18.0', 'path:00:19.0']


def entries(*lines):
    """Writes the file."""
    os.makedirs('/etc/devirt', exist_ok=True)
    write(CONF, ''.join(line + '\n' for line in lines))


def option():
    """The module's options, as {name: [entry]}."""
    text = run('devirt', 'reserve', '--modprobe').stdout.splitlines()[-1]
    if not text.startswith('options devirt '):
        return None
    return {key: value.split(',') for key, value in
            (word.split('=', 1) for word in text.split()[2:])}


def meaning(tap):
    """What entries mean."""
    result = run('devirt', 'reserve')
    tap.ok(result.returncode == 0 and 'Nothing is to be reserved' in result.stdout,
           'no file: nothing', result.stdout, result.stderr)
    entries('# for the lab', '', '  path:00:03.0/00.0+1b36:0010\t# the disk', '8086:10c9',
            'ffff:0001')
    result = run('devirt', 'reserve', '--json')
    shown = loads(result.stdout)
    tap.equal(result.returncode, 0, 'a file that is right')
    tap.equal([(one['entry'], one['line'], [f['address'] for f in one['functions']])
               for one in shown['entries']],
              [('path:00:03.0/00.0+1b36:0010', 3, [DISK]), ('8086:10c9', 4, [PF]),
               ('ffff:0001', 5, [])], 'entries, lines, and what they mean')
    table = must('devirt', 'reserve')
    tap.ok('no such function' in table and max(map(len, table.splitlines())) <= 80,
           'as a table', table)
    found = option()
    tap.equal(found['reserve'], ['path:00:03.0/00.0+1b36:0010', '8086:10c9', 'ffff:0001'],
              'the option for the module')
    tap.ok('keep' not in found, 'no disk in use can be meant by an id', found)
    items = {one['item']: one for one in loads(run('devirt', 'check', '--json').stdout)['items']}
    tap.equal(items['reserved']['state'], 'warn', "'devirt check' says that it isn't in force")
    entries('path:00:03.0/00.0')
    tap.equal(sorted(option()['keep']), ROOT_DISKS,
              "by a place anything can be, so that the root file system's disks are kept")
    entries('# for the lab', '', 'path:00:03.0/00.0+1b36:0010', '8086:10c9', 'ffff:0001')


def refused(tap):
    """What the host needs."""
    must('mount', '-o', 'ro', '/dev/disk/by-label/DEVIRT-DATA', '/mnt')
    try:
        result = run('devirt', 'reserve')
        tap.ok(result.returncode == 1 and f'{CONF}:3: ' in result.stderr and
               f'the host needs {DISK}' in result.stderr and '/mnt' in result.stderr,
               'a mounted disk is refused, and named', result.returncode, result.stderr)
        found = option()
        tap.equal(found['reserve'], ['8086:10c9', 'ffff:0001'], 'and left out')
        tap.ok('keep' not in found, 'and what is left can mean no disk', found)
        result = run('devirt', 'reserve', '--json')
        tap.equal([one['refused'] for one in loads(result.stdout)['entries']],
                  [True, False, False], 'as JSON')
    finally:
        must('umount', '/mnt')
    result = run('devirt', 'reserve', '--write')
    tap.ok(result.returncode == 0 and 'initramfs' in result.stdout, '--write says what is next',
           result.stdout, result.stderr)
    tap.equal(read(WRITTEN), must('devirt', 'reserve', '--modprobe').strip(),
              'and writes the same')


def wrong(tap):
    """Lines that mean nothing."""
    for line in ('igb', '8086:10c9,8086:10ca', 'path:00:03.0/00.0 1b36:0010', '8086:10c9+'):
        entries('8086:10c9', line)
        result = run('devirt', 'reserve', '--write')
        tap.ok(result.returncode == 2 and f"{CONF}:2: '{line}': " in result.stderr and
               'devirt reserve DEVICE' in result.stderr, f'{line!r} is refused', result.stderr)
    error = loads(run('devirt', 'reserve', '--json').stdout)['error']
    tap.equal((error['file'], error['line'], error['errno']), (CONF, 2, 22), 'as JSON')
    tap.ok('8086:10c9,ffff:0001' in read(WRITTEN), 'what was written before is still there')
    entries(*(f'path:00:01.0/{slot:02x}.{function}+8086:10c9' for slot in range(32)
              for function in range(5)))
    result = run('devirt', 'reserve', '--modprobe')
    tap.ok(result.returncode == 2 and 'reserve= is too long' in result.stderr and
           '4094 bytes' in result.stderr, 'too much for the module', result.stderr)
    result = run('devirt', 'plan', 'reserve')
    tap.ok(result.returncode == 2 and "can't be a partition" in result.stderr,
           'it is no partition', result.stderr)


def names(tap):
    """The entries that mean one function."""
    name = netif(PF)
    found = [line.split('  # ')[0] for line in must('devirt', 'reserve', name).splitlines()]
    tap.equal(found, ['path:00:01.0/00.0+8086:10c9', '8086:10c9', PF], f'names of {name}')
    result = run('devirt', 'reserve', 'eth77')
    tap.ok(result.returncode == 1 and "'eth77' is neither" in result.stderr, 'no such function',
           result.stderr)
    # The module means the same by them. An address would make it the host's.
    must('ip', 'address', 'flush', 'dev', name)
    must('rmmod', 'devirt')
    for entry in found:
        must('insmod', f'/devirt/build/{KERNEL}/devirt.ko', f'reserve={entry}')
        tap.equal(read('/sys/module/devirt/parameters/reserved'), PF, f'{entry} for the module')
        must('rmmod', 'devirt')
        tap.equal(driver(PF), 'igb', "and the host's again")
    must('insmod', f'/devirt/build/{KERNEL}/devirt.ko')


def test(tap):
    """All of it."""
    try:
        meaning(tap)
        refused(tap)
        wrong(tap)
        names(tap)
    finally:
        for path in (CONF, WRITTEN):
            if os.path.exists(path):
                os.remove(path)


main(test)
