# SPDX-License-Identifier: GPL-2.0
"""The main job, shown: a guest on leased hardware, and all of it given back.

Runs inside the emulated machine; scripts/demo starts it. What it prints was
looked up elsewhere than in devirt itself: in sysfs, in the guest, and in the
kernel's trace. What isn't so ends it with the reason.
"""
import os
import sys

sys.dont_write_bytecode = True
from e2e import (HERE, PF, SYSFS, Entries, Guest, VF_UP, address_pf, differences, driver, exists,
                 huge_pages, netif, read, snapshot, wait_until)

CONF = os.path.join(HERE, 'demo.conf')
PINGS = 100
SCRIPT = VF_UP + f'''
echo system=$(uname -r), $(nproc) CPUs
echo driver=$(basename $(readlink /sys/class/net/eth0/device/driver))
echo up
read go </dev/ttyS0
ping -A -c {PINGS} 10.9.0.1 >/tmp/pings
echo pings=$(tail -n 2 /tmp/pings | head -n 1)
echo time=$(tail -n 1 /tmp/pings)
'''


class Untrue(Exception):
    """Something that the demo claims isn't so."""


def claim(good, what):
    """Nothing is printed that wasn't seen."""
    if not good:
        raise Untrue(what)


def progress(text):
    """What it is doing, on a line of its own or, on a terminal, on the same."""
    if os.environ.get('DEMO_TERMINAL'):
        sys.stderr.write(f'\r\033[K{text}')
    elif text:
        sys.stderr.write(f'demo: {text}\n')
    sys.stderr.flush()


def vfs():
    """How many VFs the PF has."""
    return int(read(f'{SYSFS}/{PF}/sriov_numvfs'))


def on_core():
    """The processes that may run on one of the CPUs 2 and 3, by id and start."""
    found = set()
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            # Kernel threads have no file; those that belong to a CPU can't leave it.
            os.readlink(f'/proc/{pid}/exe')
            if os.sched_getaffinity(int(pid)) & {2, 3}:
                found.add((pid, read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()[19]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def mapped_huge(pid):
    """How many KiB of pages of 2M a process has mapped."""
    size = total = 0
    for line in read(f'/proc/{pid}/smaps').splitlines():
        key, *value = line.split()
        if key == 'Size:':
            size = int(value[0])
        elif key == 'KernelPageSize:' and value[0] == '2048':
            total += size
    return total


def show():
    """The demo. Returns what it has to tell."""
    progress('preparing the host')
    pf = address_pf('10.9.0.1/24')
    before = snapshot()
    facts = len(read(before).splitlines())
    pages, pool, tasks = huge_pages(), vfs(), on_core()
    claim(pool == 0, f'{pf} has VFs before the lease')

    progress('devirt run demo.conf -- qemu-system-x86_64 ...: the guest boots')
    entries = Entries()
    vm = Guest(CONF, SCRIPT, 'igbvf')
    vm.wait_for('\nup\n')

    vf = os.path.basename(os.readlink(f'{SYSFS}/{PF}/virtfn0'))
    group = os.path.basename(os.readlink(f'{SYSFS}/{vf}/iommu_group'))
    claim(driver(vf) == 'vfio-pci', f'{vf} has the driver {driver(vf)}')
    claim(vfs() == 1 and driver(PF) == 'igb', f'{pf} has {vfs()} VFs')
    claim(huge_pages() == pages + 64, f'{huge_pages()} pages of 2M')
    child = vm.children()[0]
    claim(mapped_huge(child) == 128 << 10, "the guest's memory is not in pages of 2M")
    threads = {int(thread): read(f'/proc/{child}/task/{thread}/comm')
               for thread in os.listdir(f'/proc/{child}/task')}
    meanwhile = on_core()
    claim(not meanwhile, f'processes may run on CPU 2 or 3: {meanwhile}')

    progress(f'the guest is up: {PINGS} pings over the VF')
    vm.say('go')
    status = vm.wait()
    progress('all is given back')
    found, counts, lost = entries.finish()
    wait_until(lambda: not exists('demo'), 'the release')
    claim(status == 0 and vm.status == 0, f'the guest failed: {status}\n{vm.output[-1500:]}')

    claim(lost == 0, f'{lost} entries are missing in the trace')
    claim(sorted((vcpu, cpu) for _, vcpu, cpu in found) == [(0, 2), (1, 3)],
          f'VM entries by thread, vCPU and CPU: {found}')
    for (thread, _, _), number in found.items():
        claim(threads.get(thread, '').endswith('/KVM'), f'thread {thread} is {threads.get(thread)}')
        claim(number > 1000, f'thread {thread} entered only {number} times')
    off = sum(number for cpu, number in counts.items() if cpu not in (2, 3))
    claim(off == 0, f'VM entries by CPU: {counts}')
    system, pings = vm.value('system') or '', vm.value('pings') or ''
    claim(vm.value('driver') == 'igbvf' and ' 2 CPUs' in system, f'the guest says: {system}')
    claim(f'{PINGS} packets transmitted, {PINGS} packets received' in pings, f'pings: {pings}')
    differ = differences(before, snapshot())
    claim(not differ, 'the host is not as it was:\n' + '\n'.join(differ))
    claim((vfs(), huge_pages()) == (pool, pages), f'{vfs()} VFs, {huge_pages()} pages of 2M')
    # Some may have ended.
    tasks = {task for task in tasks if os.path.exists(f'/proc/{task[0]}')}
    claim(tasks and tasks <= on_core(), f'processes are kept off: {tasks - on_core()}')
    claim(driver(PF) == 'igb' and not os.path.exists(f'{SYSFS}/{vf}'), f'{vf} is still there')

    row = '{:<18}{:<42}{}'.format
    return [
        f'An unmodified QEMU/KVM guest on leased hardware (Linux {os.uname().release})',
        '',
        row('LEASED', 'FROM', 'TO'),
        row(vf, f'a new VF of {pf} ({PF}, igb)', f'vfio-pci, group {group}'),
        row('64 pages of 2M', f'node 0, which had {pages}', "the guest's memory"),
        row('CPU 2', f'the host: {len(tasks)} processes could run there', 'vCPU 0'),
        row('CPU 3', 'the host: its sibling thread', 'vCPU 1'),
        '',
        row('GUEST', f'Linux {system}', 'igbvf'),
        row('PINGS', f'{PINGS} from its VF to the PF', f'{PINGS} answers'),
        row('', *vm.value('time').replace('round-trip ', '').split(' = ')),
        '',
        row('VM ENTRIES', "by the kernel's own kvm:kvm_entry", 'from the first'),
        *(row(f'vCPU {vcpu}', f'thread {thread} on CPU {cpu}', found[thread, vcpu, cpu])
          for thread, vcpu, cpu in sorted(found, key=lambda key: key[1])),
        row('', 'any thread on another CPU', off),
        '',
        row('RETURNED', 'before > meanwhile > after', ''),
        row(f'VFs of {pf}', f'{pool} > 1 > {vfs()}', ''),
        row('pages of 2M', f'{pages} > {pages + 64} > {huge_pages()}', ''),
        row('processes on 2, 3', f'{len(tasks)} > {len(meanwhile)} > {len(tasks & on_core())}', ''),
        row('host snapshot', f'{facts} facts before and after', f'{len(differ)} differ'),
    ]


try:
    lines = show()
except (Untrue, RuntimeError, TimeoutError, OSError) as problem:
    progress('')
    print(f'demo: this is not so: {problem}', file=sys.stderr)
    sys.exit(1)
progress('')
print('\n'.join(line.rstrip() for line in lines))
