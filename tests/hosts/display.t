#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A display (--machine display) is refused while a program or the console is on
it, and leased when neither is."""
import glob
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '../e2e'))
# pylint: disable=wrong-import-position
from e2e import conf, driver, gone, loads, main, must, note, restored, run, snapshot, wait_until, write

DISPLAY = '0000:00:06.0'


def console(bound):
    """Puts the text console on the display, or takes it off."""
    for path in glob.glob('/sys/class/vtconsole/vtcon*'):
        with open(f'{path}/name', encoding='utf-8') as name:
            if 'frame buffer' in name.read():
                write(f'{path}/bind', int(bound))
                return True
    return False


def nodes():
    """Its device files."""
    return sorted('/dev/dri/' + os.path.basename(path) for path in
                  glob.glob(f'/sys/bus/pci/devices/{DISPLAY}/drm/*') if not os.path.islink(path))


def test(tap):
    """Program, console, nobody."""
    path = conf('screen', device_gpu={'address': DISPLAY})
    must('modprobe', 'bochs')
    wait_until(lambda: driver(DISPLAY) == 'bochs-drm' and nodes() and os.path.exists(nodes()[0]),
               'its driver')
    # What is written to a console brings it up, where that was put off.
    with open('/dev/tty1', 'w', encoding='utf-8') as text:
        text.write('hello\n')
    tap.ok(console(True), 'there is a console on it')
    before = snapshot()

    def is_refused(what, name):
        result = run('devirt', 'create', path)
        tap.ok(result.returncode == 1 and f'the display {name} is open' in result.stderr
               and 'stop the display server' in result.stderr, f'{what}: refused', result)
        error = (loads(run('devirt', 'create', '--json', path).stdout) or {}).get('error', {})
        tap.equal(error.get('reason'), 'display', f'{what}: the reason, as JSON')
        tap.equal(driver(DISPLAY), 'bochs-drm', f'{what}: it keeps its driver')

    is_refused('the console', 'fb0')
    console(False)
    for node in nodes():
        with open(node, 'rb'):
            is_refused(f'a program that has {node} open', os.path.basename(node))
    with open('/dev/fb0', 'rb'):
        is_refused('a program that has /dev/fb0 open', 'fb0')

    must('devirt', 'create', path)
    tap.equal(driver(DISPLAY), 'vfio-pci', 'nobody is on it: leased')
    must('devirt', 'release', 'screen')
    gone('screen')
    tap.equal(driver(DISPLAY), 'bochs-drm', 'its driver has it again')
    console(True)
    restored(tap, before, 'a display')
    note(f'{DISPLAY}: {nodes()}')


main(test)
