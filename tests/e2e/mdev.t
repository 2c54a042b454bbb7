#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Guests on slices of one mediated display, small, medium and large, until it is
full: the next is refused with what is left and who has the rest. Each guest's
console is on its slice: its screen is read out of the slice's memory, and the
text on it.

The pictures are kept in /out (scripts/vm --share DIR).
"""
import json
import os
import secrets
import socket
import struct
import sys
import zlib

sys.dont_write_bytecode = True
from e2e import (WORK, Guest, conf, exists, gone, loads, main, must, note, read, restored, run,
                 snapshot, wait_until)

TYPES = '/sys/class/mdev_bus/mbochs/mdev_supported_types'
UUID = '7b1bd2c4-3f5e-4a1d-9d3c-0a1b2c3d4e5f'
# The first line of the screen: from there on it is known what each looks like.
SIGNS = 'abcdefghijklmnopqrstuvwxyz0123456789-'
# The kernel's font.
WIDTH, HEIGHT = 8, 16

SCRIPT = r'''
n=0
until [ -e /dev/fb0 ]; do n=$((n+1)); [ $n -lt 600 ] || exit 9; usleep 50000; done
printf '\033[2J\033[?25l\033[H%s\n\n%s' SIGNS TEXT >/dev/tty1
for d in /sys/bus/pci/devices/*; do
	[ "$(cat $d/vendor)" = 0x1234 ] || continue
	echo "driver=$(basename $(readlink $d/driver))"
	echo "memory=$(head -n 1 $d/resource)"
done
echo "name=$(cat /sys/class/graphics/fb0/name)"
echo "mode=$(cat /sys/class/graphics/fb0/virtual_size)"
echo "stride=$(cat /sys/class/graphics/fb0/stride)"
echo "depth=$(cat /sys/class/graphics/fb0/bits_per_pixel)"
echo shown
read go </dev/ttyS0
'''


class Monitor:
    """A QEMU's monitor, for programs."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile('r')
        self.file.readline()
        self.ask('qmp_capabilities')

    def ask(self, command, **arguments):
        """Its answer."""
        self.socket.sendall(json.dumps({'execute': command,
                                        'arguments': arguments}).encode() + b'\n')
        while True:
            answer = json.loads(self.file.readline())
            if 'event' not in answer:
                return answer['return']


class Screen:
    """A guest that shows a text on a slice."""

    def __init__(self, name, keys):
        self.name = name
        self.text = f'{name}-{secrets.token_hex(4)}'
        self.path = conf(name, mdev_gpu=keys)
        self.qmp = f'{WORK}/{name}.qmp'
        self.vm = Guest(self.path, SCRIPT.replace('SIGNS', SIGNS).replace('TEXT', self.text),
                        'bochs', ('-m', '192M', '-qmp', f'unix:{self.qmp},server=on,wait=off'))

    def look(self):
        """The rows of its screen, in bytes of red, green and blue."""
        first = int(self.vm.value('memory').split()[0], 16)
        self.width, self.height = map(int, self.vm.value('mode').split(','))
        stride = int(self.vm.value('stride'))
        dump = f'{WORK}/{self.name}.raw'
        self.monitor.ask('pmemsave', val=first, size=stride * self.height, filename=dump)
        with open(dump, 'rb') as file:
            data = file.read()
        rows = []
        for y in range(self.height):
            line = data[y * stride:y * stride + 4 * self.width]
            row = bytearray(3 * self.width)
            row[0::3], row[1::3], row[2::3] = line[2::4], line[1::4], line[0::4]
            rows.append(bytes(row))
        return rows

    def shown(self):
        """What is written on it, by lines; '?' for what isn't one of SIGNS."""
        self.rows = self.look()
        known = {}
        for column, sign in enumerate(SIGNS):
            known.setdefault(self._cell(0, column), sign)
        # No two look the same, and none like nothing.
        blank = self._cell(1, 0)
        if len(known) < len(SIGNS) or blank in known or len(set(blank)) != 1:
            return []
        known[blank] = ' '
        return [''.join(known.get(self._cell(line, column), '?')
                        for column in range(self.width // WIDTH)).rstrip()
                for line in range(self.height // HEIGHT)]

    def _cell(self, line, column):
        return b''.join(row[3 * WIDTH * column:3 * WIDTH * (column + 1)]
                        for row in self.rows[HEIGHT * line:HEIGHT * (line + 1)])

    def keep(self):
        """The picture, as PNG."""
        def chunk(kind, data):
            body = kind + data
            return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))
        path = os.path.join('/out' if os.path.ismount('/out') else WORK, f'{self.name}.png')
        with open(path, 'wb') as file:
            file.write(b'\x89PNG\r\n\x1a\n'
                       + chunk(b'IHDR', struct.pack('>IIBBBBB', self.width, self.height, 8, 2,
                                                    0, 0, 0))
                       + chunk(b'IDAT', zlib.compress(b''.join(b'\0' + row for row in self.rows)))
                       + chunk(b'IEND', b''))


def up(tap, screen, kind):
    """It runs on a slice of that kind, and shows its text there."""
    name = screen.name
    screen.vm.wait_for('shown')
    screen.monitor = Monitor(screen.qmp)
    shown = loads(must('devirt', 'show', '--json', screen.path))
    record = shown['records'][0]
    tap.equal((record['kind'], record['section'], record['parent'], record['type']),
              ('mdev', 'gpu', 'mbochs', f'mbochs-{kind}'), f'{name}: show says what it has')
    tap.ok(shown['vmm'] in screen.vm.children(), f'{name}: its QEMU is the VMM', shown)
    tap.equal(os.path.basename(os.readlink(f'/sys/bus/mdev/devices/{record["uuid"]}/mdev_type')),
              f'mbochs-{kind}', f'{name}: the device is of that type')
    found = must('devirt', 'args', '--one-line', screen.path)
    tap.equal(found.strip(),
              f'-device vfio-pci,sysfsdev=/sys/bus/mdev/devices/{record["uuid"]},id=gpu',
              f'{name}: the options for QEMU')
    tap.ok(screen.vm.value('driver') == 'bochs-drm' and 'bochs' in screen.vm.value('name')
           and screen.vm.value('depth') == '32',
           f"{name}: the guest's bochs-drm drives it", screen.vm.output[-500:])


def pictures(tap, screens):
    """Each shows its own text, and nothing else."""
    for screen in screens:
        wanted = [SIGNS, '', screen.text]
        try:
            # It is copied there some time after it was written.
            wait_until(lambda: screen.shown()[:3] == wanted, 'the text', 30)
        except TimeoutError:
            pass
        lines = screen.shown()
        screen.keep()
        tap.equal(lines[:3], wanted, f'{screen.name}: its screen shows what it wrote '
                  f'({screen.width}x{screen.height})')
        tap.ok(len(lines) == screen.height // HEIGHT and not any(lines[3:]),
               f'{screen.name}: and nothing else', lines)


def full(tap):
    """The next one gets nothing, and hears why."""
    path = conf('late', mdev_gpu={'parent': 'mbochs', 'type': 'mbochs-small'})
    result = run('devirt', 'run', path, '--', 'true')
    words = ' '.join(result.stderr.split())
    tap.equal(result.returncode, 125, 'full: run refuses, and starts nothing')
    tap.ok(all(text in words for text in (
        'mbochs-small of mbochs', '0 left', "partition 'tiny' has 1 mbochs-small",
        "partition 'middle' has 1 mbochs-medium", "partition 'huge' has 1 mbochs-large",
        'release one')),
        'full: the error names the type, what is left, and who has the rest', result.stderr)
    result = run('devirt', 'create', '--json', conf('late', mdev_gpu={'memory_at_least': '4M'}))
    error = (loads(result.stdout) or {}).get('error', {})
    tap.equal((result.returncode, error.get('reason'), error.get('error')),
              (1, 'type-full', 'ENOSPC'), 'full: --json says why, also for "at least"')
    result = run('devirt', 'plan', path)
    tap.ok(result.returncode == 1 and '0 left' in result.stderr, 'full: so does plan', result)
    tap.ok(not exists('late'), 'full: nothing is held')
    types = {one['type']: one for one in
             loads(must('devirt', 'devices', '--json'))['mdev_types']}
    tap.equal({name: (one['left'], one['made'], one['memory'] >> 20, one['leased'])
               for name, one in types.items()},
              {'mbochs-small': (0, 1, 4, [{'partition': 'tiny', 'count': 1}]),
               'mbochs-medium': (0, 1, 16, [{'partition': 'middle', 'count': 1}]),
               'mbochs-large': (0, 1, 64, [{'partition': 'huge', 'count': 1}])},
              'devices --json: types, what is left, and who has them')
    text = must('devirt', 'devices')
    tap.ok('mbochs-medium' in text and 'virtual display, 16 MB' in ' '.join(text.split())
           and 'leased: huge 1' in ' '.join(text.split())
           and all(len(line) <= 80 for line in text.splitlines()), 'devices: in words', text)
    text = must('devirt', 'show')
    tap.ok('1 mdev' in text, 'show: in words', text)
    text = must('devirt', 'show', f'{WORK}/middle.conf')
    tap.ok('mdev gpu' in text and 'mbochs-medium of mbochs' in text and UUID in text,
           'show NAME: in words', text)


def errors(tap):
    """What can't be had at all."""
    for keys, reason, words in (
            ({'parent': 'nothing', 'type': 'x'}, 'no-parent', ('nothing', 'these do: mbochs')),
            ({'parent': 'mbochs', 'type': 'x'}, 'no-type', ('x of mbochs', 'mbochs-large')),
            ({'parent': 'mbochs', 'type': 'mbochs-small', 'uuid': UUID}, 'uuid-taken',
             (UUID, 'of parent mbochs'))):
        path = conf('bad', mdev_gpu=keys)
        error = loads(run('devirt', 'create', '--json', path).stdout)['error']
        told = error['message'] + error['remedy']
        tap.ok(error['reason'] == reason and all(word in told for word in words),
               f'{reason}: with what there is', error)
    result = run('devirt', 'plan', conf('bad', mdev_gpu={'memory_at_least': '1G'}))
    tap.ok(result.returncode == 1 and 'mbochs-large of mbochs has 64M' in result.stderr
           and ':2: ' in result.stderr, 'more than any type has: told with what they have', result)
    result = run('devirt', 'args', conf('bad', mdev_gpu={'type': 'mbochs-small'}))
    tap.ok(result.returncode == 1 and "isn't known yet" in result.stderr,
           'args: there is no device before it is leased', result)


def test(tap):
    """All of it."""
    must('modprobe', 'mbochs', 'count=84')
    before = snapshot()
    with open(f'{TYPES}/mbochs-small/create', 'w', encoding='ascii') as file:
        file.write(UUID)
    errors(tap)
    with open(f'/sys/bus/mdev/devices/{UUID}/remove', 'w', encoding='ascii') as file:
        file.write('1')
    planned = loads(must('devirt', 'plan', '--json',
                         conf('any', mdev_gpu={'memory_at_least': '5M'})))
    tap.equal((planned['records'][0]['type'], planned['checked']), ('mbochs-medium', True),
              'memory-at-least: the smallest that has it')
    screens = []
    for name, kind, keys in (('tiny', 'small', {'memory_at_least': '4M'}),
                             ('middle', 'medium', {'type': 'mbochs-medium', 'uuid': UUID}),
                             ('huge', 'large', {'parent': 'mbochs', 'type': 'mbochs-large'})):
        screens.append(Screen(name, keys))
        up(tap, screens[-1], kind)
    pictures(tap, screens)
    full(tap)
    result = run('rmmod', 'mbochs')
    tap.ok(result.returncode, 'its driver stays while it is leased', result)
    for screen in screens:
        screen.vm.say('go')
    for screen in screens:
        tap.equal((screen.vm.wait(), screen.vm.status), (0, 0), f'{screen.name}: ends well')
        gone(screen.name)
    tap.equal(read(f'{TYPES}/mbochs-large/available_instances'), '1', 'all is left again')
    restored(tap, before, 'afterwards')
    must('rmmod', 'mbochs')
    if not os.path.ismount('/out'):
        note('pictures are kept with scripts/vm --share DIR')


main(test)
