#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A guest that is started by hand, on a partition that somebody holds: the VMM
is recognised, and the interrupts of its VF are handled on its cores.

QEMU is started as always: no `devirt run`, no attach. What counts is the kernel's
own trace: kvm:kvm_entry by CPU, and irq:irq_handler_entry of VFIO's handlers by
CPU, from before the guest starts to its end: packets are received, then again
after its driver was reloaded, and after a reboot. irqbalance runs meanwhile. How many may be in the
environment as PACKETS.
Beside it the same without devirt.
"""
import json
import os
import socket
import sys
import time

sys.dont_write_bytecode = True
from e2e import (PATIENCE, PF, SYSFS, VF_UP, Entries, Run, address_pf, conf, exists, main, must,
                 note, qemu, read, wait_until, write)

PACKETS = int(os.environ.get('PACKETS', '10000'))
CORES = [2, 3]

# Does what it is told on its console: a line each.
SCRIPT = f'''
up() {{ {VF_UP} }}
got() {{ cat /sys/class/net/eth0/statistics/rx_packets; }}
up
echo ready=$(got)
while read what </dev/ttyS0; do
	case $what in
	count) n=$(got); until [ $n -ge {PACKETS} ]; do usleep 50000; n=$(got); done; echo counted=$n ;;
	reload) rmmod igbvf; modprobe igbvf; up; echo reloaded=$(got) ;;
	reboot) reboot -f ;;
	off) exit 0 ;;
	esac
done
'''


class Irqs:
    """The kernel's own trace of VFIO's interrupt handlers, by CPU, from now on."""

    def __init__(self):
        self.dir = '/sys/kernel/tracing/instances/devirt-irqs'
        os.mkdir(self.dir)
        write(f'{self.dir}/buffer_size_kb', 4096)
        write(f'{self.dir}/options/overwrite', 0)
        write(f'{self.dir}/events/irq/irq_handler_entry/filter', 'name ~ "vfio-*"')
        write(f'{self.dir}/events/irq/irq_handler_entry/enable', 1)

    def counts(self):
        """How many so far: {cpu: number}, none of them lost."""
        found = {}
        for name in os.listdir(f'{self.dir}/per_cpu'):
            stats = dict(line.split(': ', 1) for line in
                         read(f'{self.dir}/per_cpu/{name}/stats').splitlines() if ': ' in line)
            found[int(name[3:])] = sum(int(stats[key]) for key in
                                       ('entries', 'overrun', 'dropped events'))
        return found

    def finish(self):
        """Stops it. Returns the counts."""
        write(f'{self.dir}/tracing_on', 0)
        found = self.counts()
        os.rmdir(self.dir)
        return found


class ByHand(Run):
    """A guest without devirt's help."""

    def __init__(self, *options):
        words = qemu(SCRIPT, 'igbvf')
        words.remove('-no-reboot')
        words[words.index('@devirt@'):words.index('@devirt@') + 1] = options
        super().__init__(*words)
        self.seen = 0

    def answer(self, key):
        """Waits for the next KEY=VALUE that it prints."""
        text = f'\n{key}='
        with self.changed:
            self.changed.wait_for(lambda: text in self.output[self.seen:] or self.ended,
                                  PATIENCE)
            at = self.output.find(text, self.seen)
            if at < 0:
                raise RuntimeError(f'no {key!r} in: {self.output[-2000:]}')
            self.seen = at + len(text)

    def receive(self):
        """As many packets as are due, sent by the host's PF."""
        self.say('count')
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end = time.monotonic() + PATIENCE
        while '\ncounted=' not in self.output[self.seen:]:
            if time.monotonic() > end or self.ended:
                raise RuntimeError(f'packets are missing: {self.output[-500:]}')
            for _ in range(50):
                try:
                    sender.sendto(b'devirt' * 10, ('10.9.0.2', 9))
                except OSError:
                    # It has no address at the moment.
                    time.sleep(0.05)
            time.sleep(0.01)
        self.answer('counted')


def drive(vm):
    """All three times. Returns when the guest is off."""
    vm.answer('ready')
    vm.receive()
    vm.say('reload')
    vm.answer('reloaded')
    vm.receive()
    vm.say('reboot')
    vm.answer('ready')
    vm.receive()
    vm.say('off')
    return vm.wait()


def told(name, counts):
    """The share on the leased cores, for people."""
    total = sum(counts.values())
    on = sum(counts.get(cpu, 0) for cpu in CORES)
    note(f'{name}: ' + ', '.join(f'CPU {cpu}: {counts[cpu]}' for cpu in sorted(counts)))
    note(f'{name}: {on} of {total} on the cores: {100 * on / total if total else 0:.2f} %')
    return on, total


def leased(tap):
    """On a partition."""
    path = conf('irqs', vf_net={'pf': PF, 'pool': 1}, cpus={'cpus': '2,3'},
                memory={'size': '128M', 'page': '2M'})
    must('devirt', 'create', path)
    entries, irqs = Entries(), Irqs()
    options = json.loads(must('devirt', 'args', '--json', path))
    vm = ByHand(*options)
    vm.answer('ready')
    vm.seen = 0
    shown = json.loads(must('devirt', 'show', '--json', 'irqs'))
    tap.ok(str(vm.process.pid) in json.dumps(shown), 'QEMU, started by hand, is the VMM',
           shown)
    status = drive(vm)
    counts = irqs.finish()
    found, on_cpu, lost = entries.finish()
    must('devirt', 'release', 'irqs')
    wait_until(lambda: not exists('irqs'), 'the release')
    tap.equal(status, 0, 'the guest powered off')
    tap.equal(lost, 0, 'the trace of VM entries is complete')
    tap.equal(sorted((vcpu, cpu) for _, vcpu, cpu in found), [(0, 2), (1, 3)],
              'each vCPU on its own CPU only')
    off = sum(number for cpu, number in on_cpu.items() if cpu not in CORES)
    tap.equal(off, 0, f'of {sum(on_cpu.values())} VM entries none on another CPU')
    on, total = told('with devirt', counts)
    tap.ok(total > 100, 'the VF has interrupted', counts)
    tap.equal(total - on, 0, f'of {total} interrupts of the VF none on another CPU')


def unleased(tap):
    """By hand, all of it."""
    write(f'{SYSFS}/{PF}/sriov_drivers_autoprobe', 0)
    write(f'{SYSFS}/{PF}/sriov_numvfs', 1)
    vf = os.path.basename(os.readlink(f'{SYSFS}/{PF}/virtfn0'))
    write(f'{SYSFS}/{vf}/driver_override', 'vfio-pci')
    write('/sys/bus/pci/drivers_probe', vf)
    irqs = Irqs()
    vm = ByHand('-smp', '2,cores=1,threads=2', '-m', '128M', '-device', f'vfio-pci,host={vf}')
    status = drive(vm)
    counts = irqs.finish()
    write(f'{SYSFS}/{PF}/sriov_numvfs', 0)
    write(f'{SYSFS}/{PF}/sriov_drivers_autoprobe', 1)
    tap.equal(status, 0, 'without a lease: the guest powered off')
    on, total = told('without devirt', counts)
    tap.ok(total > on, 'without a lease: interrupts are seen on other CPUs', counts)


def affinities():
    """What irqbalance changes: the affinity of every interrupt."""
    found = {}
    for irq in os.listdir('/proc/irq'):
        if irq.isdigit():
            found[irq] = read(f'/proc/irq/{irq}/smp_affinity')
    return found


def unbalance(before):
    """For the tests that come after this one. What a driver asked for meanwhile has
    other numbers, and had the default."""
    default = read('/proc/irq/default_smp_affinity')
    for irq in affinities():
        try:
            write(f'/proc/irq/{irq}/smp_affinity', before.get(irq, default))
        except OSError:
            pass    # not one that can be moved


def test(tap):
    """With and without."""
    before = affinities()
    address_pf('10.9.0.1/24')
    must('modprobe', 'vfio-pci')
    balance = Run('irqbalance', '--foreground', '--interval=1')
    try:
        leased(tap)
        if PACKETS >= 10000:
            unleased(tap)
        else:
            note('without devirt: only measured with 10000 packets or more')
        tap.ok(not balance.ended, 'irqbalance ran all the time', balance.output)
    finally:
        balance.process.kill()
        balance.process.wait()
        unbalance(before)


main(test)
