#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What an admin may do to a PF while a guest has a VF of it: its VFs are told to go,
its driver is unbound and unloaded, and it is removed from the bus. (That it is reset
nobody is told by the kernel: selftests/pool.)

Each is either refused, with the guest's traffic going on, or done, and then there is
an event, and the guest either has its traffic or is told by its interface's carrier.
None of them waits for the guest, which lives to the end and loses nothing else. Then
its lease ends, and the host is as it was.
"""
import json
import sys
import time

sys.dont_write_bytecode = True
from e2e import (PF, SYSFS, VF_UP, Guest, address_pf, conf, driver, gone, main, must, note, read,
                 restored, run, snapshot, wait_until)

VF = '0000:01:10.0'

# What waits for the guest waits for ever; what doesn't is done in this many seconds,
# however slow the machine is.
HANG = 60

SCRIPT = VF_UP + '''
echo ready
while read what </dev/ttyS0; do
	[ $what = off ] && exit 0
	[ ${what#anew} = $what ] || { ip link set eth0 down; ip link set eth0 up; }
	ping -c 1 -W 1 10.9.0.1 >/dev/null && ping=yes || ping=no
	echo $what=$ping,$(cat /sys/class/net/eth0/carrier)
done
'''


class Machine:
    """The guest, and what happens to it."""

    def __init__(self, tap, path):
        self.tap = tap
        self.vm = Guest(path, SCRIPT, 'igbvf')
        self.asked = 0
        self.vm.wait_for('\nready\n')

    def look(self, how='look'):
        """Has the guest its traffic, and what does its interface say of its link?"""
        self.asked += 1
        key = f'{how}{self.asked}'
        self.vm.say(key)
        wait_until(lambda: self.vm.ended or '\n' in self.answer(key), key)
        ping, carrier = self.answer(key).strip().split(',')
        return ping == 'yes', carrier == '1'

    def answer(self, key):
        """What the guest has printed since KEY=."""
        return self.vm.output.partition(f'\n{key}=')[2]

    def told(self, name):
        """The guest either has its traffic, or knows that it hasn't; which, after a
        while: its driver looks for that every two seconds."""
        for _ in range(20):
            ping, carrier = self.look()
            if ping or not carrier:
                break
        note(f'{name}: the guest ' + ('has its traffic' if ping else
                                      'is told' if not carrier else 'is told nothing'))
        return self.tap.ok(ping or not carrier, f'{name}: the guest has its traffic, or is told')

    def recovers(self, name):
        """The guest's traffic goes on, at the latest when its interface is set up anew:
        it is its driver's business to notice that the card is back."""
        for tries in range(60):
            ping = self.look('anew' if tries == 10 else 'look')[0]
            if ping:
                break
        note(f"{name}: the guest's traffic " +
             ('is missing' if not ping else 'went on' if tries <= 10 else
              'went on when its interface was set up anew'))
        return self.tap.ok(ping, f"{name}: the guest's traffic goes on")

    def done(self, name, *command):
        """Something that doesn't wait for the guest. Returns its result."""
        begin = time.monotonic()
        try:
            result = run(*command, timeout=HANG)
        except Exception as problem:  # pylint: disable=broad-except
            self.tap.ok(False, f'{name}: it waits', problem)
            raise
        note(f'{name}: {time.monotonic() - begin:.2f} s')
        return result

    def lives(self, name):
        """The VMM runs, with its VF."""
        return self.tap.ok(self.vm.process.poll() is None and driver(VF) == 'vfio-pci',
                           f'{name}: the VMM runs, and its VF is there', driver(VF))


def drifts():
    """What was told of the partition's resources."""
    lines = must('devirt', 'events', '--past', '--json', 'gone').splitlines()
    found = [json.loads(line) for line in lines if line.strip()]
    return [event.get('detail', '') for event in found if event.get('event') == 'drift']


def event(tap, text):
    """There is an event with that text, soon."""
    wait_until(lambda: any(text in detail for detail in drifts()), f'an event: {text}')
    return tap.ok(True, f'there is an event: {text}')


def shell(text):
    """A shell's command line."""
    return ('sh', '-c', text)


def test(tap):
    """All of it."""
    address_pf('10.9.0.1/24')
    before = snapshot()
    machine = Machine(tap, conf('gone', vf_a={'pf': PF, 'pool': 1}, memory={'size': '128M'}))
    machine.recovers('at first')

    result = machine.done('sriov_numvfs=0', *shell(f'echo 0 >{SYSFS}/{PF}/sriov_numvfs'))
    tap.ok(result.returncode, 'sriov_numvfs=0 is refused', result.stderr)
    tap.equal(machine.look()[0], True, "sriov_numvfs=0: the guest's traffic goes on")

    result = machine.done('unbind', *shell(f'echo {PF} >/sys/bus/pci/drivers/igb/unbind'))
    tap.equal((result.returncode, driver(PF)), (0, None), 'the PF is unbound from its driver')
    event(tap, "its PF's driver has left")
    machine.lives('unbind')
    machine.told('unbind')
    result = machine.done('bind', *shell(f'echo {PF} >/sys/bus/pci/drivers/igb/bind'))
    tap.equal((result.returncode, driver(PF)), (0, 'igb'), 'and bound again')
    event(tap, "its PF's driver is back")
    must('udevadm', 'settle')
    address_pf('10.9.0.1/24')
    machine.lives('bind')
    machine.recovers('bind')

    result = machine.done('unload', 'modprobe', '-r', 'igb')
    tap.equal((result.returncode, driver(PF)), (0, None), "the PF's driver is unloaded")
    machine.lives('unload')
    machine.told('unload')
    must('modprobe', 'igb')
    wait_until(lambda: driver(PF) == 'igb', 'its driver')
    must('udevadm', 'settle')
    address_pf('10.9.0.1/24')
    machine.recovers('load')

    result = machine.done('remove', *shell(f'echo 1 >{SYSFS}/{PF}/remove'))
    tap.equal(result.returncode, 0, 'the PF is removed from the bus')
    event(tap, 'its PF has been removed')
    machine.lives('remove')
    machine.told('remove')

    machine.vm.say('off')
    tap.equal((machine.vm.wait(), machine.vm.status), (0, 0), 'the guest ends well')
    gone('gone')
    wait_until(lambda: driver(VF) is None, 'the end of the VF')
    must(*shell('echo 1 >/sys/bus/pci/rescan'))
    wait_until(lambda: driver(PF) == 'igb', "the PF's driver")
    tap.equal(read(f'{SYSFS}/{PF}/sriov_numvfs'), '0', 'the PF that is back has no VFs')
    restored(tap, before, 'afterwards')


main(test)
