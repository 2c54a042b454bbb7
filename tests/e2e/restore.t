#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The host is as it was, however a lease ends.

Drivers and their overrides, VF counts, huge pages, every task's and interrupt's
affinity and the workqueues' mask are the same before and after: a guest's crash,
SIGKILL of the tool, and of tool and VMM, a VMM that can't be started, and an
apply that fails at each position of a description, all with all kinds. A normal
end is in nvme-data.t, SIGKILL at random moments in kills.t.
"""
import errno
import os
import sys
import time

sys.dont_write_bytecode = True
import uapi
from e2e import (ALL, DISK, PF, VF_UP, WORK, Guest, address_pf, available, conf, gone, kill,
                 main, must, restored, run, snapshot, wait_until)


def positions(tap):
    """An apply that fails at each position."""
    others = [uapi.cpu(2, 0), uapi.vf(PF, 2), uapi.memory(16), uapi.pci(DISK), uapi.cpu(3, 1)]
    before = snapshot()
    wrong = []
    for index in range(len(others) + 1):
        # There is memory for one of them, which shows when they are taken.
        half = uapi.memory(available() * 6 // 10 >> 21)
        records = others[:index] + [half, half] + others[index:]
        result = uapi.apply('positions', records)
        gone('positions')
        if result != (errno.ENOMEM, index + 1, uapi.REASON_PAGES_SHORT):
            wrong.append(f'{index}: {result}')
        restored(tap, before, f'an apply that fails at position {index + 1} of {len(records)}')
    tap.ok(not wrong, 'and says which record it was, and why', *wrong)
    error, failed, _ = uapi.apply('positions', others)
    gone('positions')
    tap.equal((error, failed), (0, len(others)), 'without that record it is granted')
    restored(tap, before, 'closed at once')


def not_started(tap, path):
    """VMMs that aren't."""
    before = snapshot()
    script = os.path.join(WORK, 'not-executable')
    with open(script, 'w', encoding='utf-8') as file:
        file.write('#!/bin/sh\n')
    bad = os.path.join(WORK, 'no-interpreter')
    with open(bad, 'w', encoding='utf-8') as file:
        file.write('#!/no/such/interpreter\n')
    os.chmod(bad, 0o755)
    result = run('devirt', 'run', path, '--', 'no-such-vmm')
    tap.equal(result.returncode, 127, 'a VMM that does not exist: 127')
    result = run('devirt', 'run', path, '--', script)
    tap.equal(result.returncode, 126, 'a VMM that is not executable: 126')
    result = run('devirt', 'run', path, '--', bad)
    tap.ok(result.returncode in (126, 127), 'a VMM whose interpreter is missing: 126 or 127',
           result.returncode)
    tap.ok('leased' in result.stderr, 'that is only found once all is leased', result.stderr)
    restored(tap, before, 'VMMs that can not be started')


def vmm(vm):
    """The VMM's process id, once it runs."""
    wait_until(vm.children, 'the VMM')
    return vm.children()[0]


def crash(tap, path):
    """The guest's kernel panics while its VF is busy."""
    before = snapshot()
    vm = Guest(path, VF_UP + 'ping -A -q 10.9.0.1 & sleep 0.3; echo c >/proc/sysrq-trigger',
               'igbvf,pvpanic-pci',
               ('-device', 'pvpanic-pci', '-action', 'panic=exit-failure'))
    vm.boot()
    status = vm.wait()
    tap.ok(status == 1 and 'Kernel panic' in vm.output and vm.status is None,
           "the guest's kernel panicked, and the VMM's status says so", status,
           vm.output[-1000:])
    restored(tap, before, 'guest crash')


def kill_tool(tap, path):
    """Only devirt is killed: its VMM ends by itself, and then all is back."""
    before = snapshot()
    vm = Guest(path, VF_UP + 'echo is-up; ping -A -q 10.9.0.1', 'igbvf')
    vm.wait_for('is-up')
    child = vmm(vm)
    vm.process.kill()
    vm.wait()
    wait_until(lambda: not os.path.exists(f'/proc/{child}'), 'the end of the VMM')
    gone('all')
    restored(tap, before, 'SIGKILL of the tool')


def kill_both(tap, path):
    """At once, when the VMM has its devices open and the guest is booting."""
    before = snapshot()
    vm = Guest(path, 'sleep 100', 'igbvf')
    child = vmm(vm)
    wait_until(lambda: any('vfio' in name for name in files(child)), 'the VMM opening devices')
    time.sleep(0.5)
    vm.process.kill()
    kill(child)
    vm.wait()
    gone('all')
    restored(tap, before, 'SIGKILL of tool and VMM')


def files(pid):
    """What a process has open."""
    found = []
    try:
        for name in os.listdir(f'/proc/{pid}/fd'):
            try:
                found.append(os.readlink(f'/proc/{pid}/fd/{name}'))
            except FileNotFoundError:
                pass
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def test(tap):
    """All of them."""
    interface = address_pf('10.9.0.1/24')
    path = conf('all', **ALL)
    # selftests/rollback.c does the same, faster.
    if os.environ.get('DEVIRT_KERNEL') != 'debug':
        positions(tap)
    not_started(tap, path)
    kill_both(tap, path)
    crash(tap, path)
    kill_tool(tap, path)
    must('ip', 'address', 'flush', 'dev', interface)


main(test)
