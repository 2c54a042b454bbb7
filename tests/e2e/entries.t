#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Every VM entry is on its core, from the first.

The kernel's own kvm:kvm_entry trace is on before QEMU starts, for guests with
1, 2 and 4 vCPUs, from power on to power off. A guest without a lease shows that
the trace would tell.
"""
import sys
import time

sys.dont_write_bytecode = True
from e2e import Entries, Guest, Run, conf, gone, main, note, qemu


def table(found, counts):
    """What was seen, for people."""
    for (thread, vcpu, cpu), entries in sorted(found.items(), key=lambda item: item[0][1:]):
        note(f'vCPU {vcpu} thread {thread} on CPU {cpu}: {entries} entries')
    note('entries by CPU: ' + ', '.join(f'{cpu}: {counts[cpu]}' for cpu in sorted(counts)))


def guest(tap, on_cpus, **keys):
    """A guest whose vCPU i runs on on_cpus[i]."""
    name = f'{len(on_cpus)} vCPU{"s" if len(on_cpus) > 1 else ""}'
    path = conf(f'entries{len(on_cpus)}', cpus=keys)
    entries = Entries()
    vm = Guest(path, 'echo cpus=$(nproc)')
    if not vm.came_up():
        entries.finish()
        entries = Entries()
        vm.start()
    status = vm.wait()
    found, counts, lost = entries.finish()
    gone(f'entries{len(on_cpus)}')

    tap.ok(status == 0 and vm.status == 0, f'{name}: the guest ran and powered off',
           f'exit status {status}', vm.output[-2000:])
    tap.equal(vm.value('cpus'), str(len(on_cpus)), f'{name}: the guest has them')
    table(found, counts)
    tap.equal(lost, 0, f'{name}: the trace is complete')
    tap.equal(sum(found.values()), sum(counts.values()), f'{name}: every entry was read')
    on = sum(counts[cpu] for cpu in on_cpus)
    tap.ok(on > 1000, f'{name}: the guest entered on the leased cores', f'{on} entries')
    tap.equal(sum(counts.values()) - on, 0, f'{name}: no entry anywhere else')
    tap.equal(sorted((vcpu, cpu) for _, vcpu, cpu in found), list(enumerate(on_cpus)),
              f'{name}: each vCPU on its own CPU only')
    tap.equal(len({thread for thread, _, _ in found}), len(on_cpus), f'{name}: a thread each')


def control(tap):
    """Without a lease, kept where the cores to be leased are not."""
    entries = Entries()
    arguments = [word for word in qemu('') if word != '@devirt@']
    vm = Run('taskset', '-c', '0,1', *arguments)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and entries.some() < 100:
        time.sleep(0.05)
    vm.process.kill()
    vm.wait()
    found, counts, _ = entries.finish()
    table(found, counts)
    tap.ok(counts[0] + counts[1] > 0, 'without a lease entries are seen on other CPUs')


def test(tap):
    """All of them."""
    control(tap)
    guest(tap, [2], count=1, threads=1)
    guest(tap, [2, 3], count=2, threads=2)
    guest(tap, [2, 3, 4, 5], count=4, threads=2)


main(test)
