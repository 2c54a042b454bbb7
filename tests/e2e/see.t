#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What can be seen of a lease: stat, events, cpus, and what check advises.

A guest computes on its two CPUs. What is told of them is compared with what the
kernel counts itself, in /proc.
"""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
from e2e import (PF, Guest, Run, conf, exists, gone, loads, main, must, read, run, wait_until)

# Until its VMM is ended.
BUSY = 'echo computes; while :; do :; done & while :; do :; done'


def ticks(cpu):
    """How often the local timer has interrupted a CPU, as the kernel counts."""
    for line in read('/proc/interrupts').splitlines():
        if line.split()[:1] == ['LOC:']:
            return int(line.split()[1 + cpu])
    raise RuntimeError('no local timer in /proc/interrupts')


def stat(name):
    """What devirt stat says of a partition, its CPUs by number."""
    found = loads(must('devirt', 'stat', '--json', name))
    found['cpus'] = {one['cpu']: one for one in found['cpus']}
    return found


def intruders(found, cpu, kind):
    """How often something of a kind was on a CPU."""
    return sum(one['count'] for one in found['intruders']
               if (one['cpu'], one['kind']) == (cpu, kind))


def schedstat(pid, thread):
    """Nanoseconds that a thread ran and waited, as the kernel counts."""
    run_ns, wait_ns, _ = read(f'/proc/{pid}/task/{thread}/schedstat').split()
    return int(run_ns), int(wait_ns)


def narrow(text):
    """No line has more than 80 characters."""
    return all(len(line) <= 80 for line in text.splitlines())


def numbers(tap, vmm):
    """stat tells what the kernel counts."""
    before = ticks(2)
    found = stat('seen')
    tap.equal([(cpu, one['role'], one.get('vcpu')) for cpu, one in sorted(found['cpus'].items())],
              [(2, 'vcpu', 0), (3, 'vcpu', 1)], 'stat: the leased CPUs and their vCPUs')
    tap.equal((found['name'], found['state'], found['vmm']), ('seen', 'held', vmm),
              'stat: whose they are')
    threads = {cpu: one['thread'] for cpu, one in found['cpus'].items()}
    for cpu, thread in threads.items():
        allowed = read(f'/proc/{vmm}/task/{thread}/status')
        tap.ok(f'Cpus_allowed_list:\t{cpu}\n' in allowed,
               f'stat: the thread of CPU {cpu} is the one that is pinned there', thread, allowed)
    count = intruders(found, 2, 'tick')
    tap.ok(before - START <= count <= ticks(2) - FIRST,
           'stat: as many ticks as the kernel counts', before, START, count, FIRST)
    tap.ok(all(not one['movable'] for one in found['intruders']
               if one['kind'] in ('tick', 'managed', 'bound'))
           and all(one['movable'] for one in found['intruders']
                   if one['kind'] in ('user', 'kthread', 'irq')),
           'stat: what can move is told apart', found['intruders'])
    least = schedstat(vmm, threads[2])
    wait_until(lambda: schedstat(vmm, threads[2])[0] > least[0] + 10000000, 'the guest to run')
    later = stat('seen')
    most = schedstat(vmm, threads[2])
    one, two = found['cpus'][2], later['cpus'][2]
    tap.ok(0 < one['run_ns'] < two['run_ns'] <= most[0], 'stat: run time as in schedstat',
           one, two, least, most)
    tap.ok(one['wait_ns'] <= two['wait_ns'] <= most[1], 'stat: waiting time as in schedstat',
           one, two, least, most)
    tap.ok(later['held_ns'] > found['held_ns'] and two['exits'] > one['exits'] > 0,
           'stat: more later', found, later)


def tables(tap):
    """stat for people, once and again and again."""
    result = run('devirt', 'stat', 'seen')
    tap.ok(result.returncode == 0 and narrow(result.stdout) and '  2 vCPU 0' in result.stdout
           and 'local timer' in result.stdout and "can't move" in result.stdout
           and '\033' not in result.stdout, 'stat: a table', result)
    both = run('devirt', 'stat')
    tap.ok(both.returncode == 0 and 'seen: held' in both.stdout and 'idle: held' in both.stdout
           and narrow(both.stdout), 'stat: all partitions', both)
    tap.equal(sorted(one['name'] for one in
                     loads(must('devirt', 'stat', '--json'))['partitions']), ['idle', 'seen'],
              'stat --json: all partitions')
    for number in (signal.SIGINT, signal.SIGTERM):
        watch = Run('devirt', 'stat', '--watch=0.2', 'seen')
        watch.wait_for('per second')
        os.kill(watch.process.pid, number)
        tap.ok(watch.wait() == 0 and narrow(watch.output) and '%' in watch.output,
               f'stat --watch: {number.name} ends it', watch.output)
    watch = Run('devirt', 'stat', '--watch=0.2', '--json', 'seen')
    wait_until(lambda: watch.output.count('\n') >= 3, 'three lines')
    os.kill(watch.process.pid, signal.SIGTERM)
    watch.wait()
    lines = [json.loads(line) for line in watch.output.splitlines()]
    tap.ok(all(a['time_ns'] < b['time_ns'] and a['held_ns'] < b['held_ns']
               and a['cpus'][0]['run_ns'] < b['cpus'][0]['run_ns']
               for a, b in zip(lines, lines[1:])), 'stat --watch --json: an object a line', lines)
    # script(1) makes a terminal of it
    watch = Run('env', 'TERM=xterm', 'script', '-qec',
                'stty rows 8 cols 80; exec devirt stat --watch=0.2 seen', '/dev/null')
    watch.wait_for('per second')
    watch.wait_for('more lines')
    frames = watch.output.split('\033[H')[1:-1]
    tap.ok(frames and all(frame.count('\n') < 8 for frame in frames),
           'stat --watch: on a terminal each table is over the last one', watch.output)
    run('pkill', '-INT', '-P', str(watch.process.pid), 'devirt')
    tap.equal(watch.wait(), 0, 'stat --watch: and ends there too')


def picture(tap, address):
    """cpus shows who has what."""
    result = run('devirt', 'cpus', env={**os.environ, 'LC_ALL': 'C.UTF-8'})
    lines = result.stdout.splitlines()
    tap.ok(result.returncode == 0 and {len(line) for line in lines} <= {80}
           and '2 seen vCPU 0' in result.stdout and '3 seen vCPU 1' in result.stdout
           and '4 idle idle' in result.stdout and '5 idle vCPU 0' in result.stdout
           and '0 host' in result.stdout and '\033' not in result.stdout,
           'cpus: a picture', result)
    tap.ok(any(PF in line for line in lines)
           and any('VF 0' in line and 'seen' in line for line in lines),
           'cpus: with the function and its VF', result)
    result = run('devirt', 'cpus', env={**os.environ, 'LC_ALL': 'C'})
    tap.ok(result.stdout.isascii() and '2 seen vCPU 0' in result.stdout, 'cpus: in ASCII', result)
    found = loads(must('devirt', 'cpus', '--json'))
    cpus = {cpu['cpu']: (cpu['partition'], cpu.get('role'), cpu.get('vcpu'))
            for node in found['nodes'] for core in node['cores'] for cpu in core['cpus']}
    tap.equal(cpus, {0: (None, None, None), 1: (None, None, None), 2: ('seen', 'vcpu', 0),
                     3: ('seen', 'vcpu', 1), 4: ('idle', 'none', None), 5: ('idle', 'vcpu', 0)},
              'cpus --json: the same')
    tap.equal([one['vfs_leased'] for one in found['devices'] if one['address'] == PF],
              [[{'index': 0, 'partition': 'seen'}]], f'cpus --json: {address} is leased')


def advice(tap):
    """check names the boot parameters for just these CPUs."""
    if not os.path.exists('/sys/devices/system/cpu/nohz_full'):
        print('# this kernel has no CONFIG_NO_HZ_FULL')
        return
    found = loads(run('devirt', 'check', '--json', 'seen').stdout)
    tap.equal(found['boot_parameters'], 'nohz_full=2,3 rcu_nocbs=2,3',
              'check NAME: for those of a partition that exists')
    found = loads(run('devirt', 'check', '--json', conf('later', cpus={'cpus': '1',
                                                       'share_core': 'yes'})).stdout)
    tap.equal(found['boot_parameters'], 'nohz_full=1 rcu_nocbs=1',
              'check NAME: for those that a partition would get')
    found = loads(run('devirt', 'check', '--json').stdout)
    tap.equal(found['boot_parameters'], 'nohz_full=2-5 rcu_nocbs=2-5',
              'check: for those that are leased')


def test(tap):
    """All of them."""
    global START, FIRST  # pylint: disable=global-statement
    if not os.path.exists('/sys/devices/system/cpu/nohz_full'):
        tap.ok(True, 'check: boot parameters # SKIP no CONFIG_NO_HZ_FULL')
    else:
        found = loads(run('devirt', 'check', '--json').stdout)
        tap.equal(found['boot_parameters'], 'nohz_full=2-5 rcu_nocbs=2-5',
                  "check: for all but CPU 0's core, while nothing is leased")
    events = Run('devirt', 'events', '--follow', '--json')
    FIRST = ticks(2)
    vm = Guest(conf('seen', vf_net={'pf': PF, 'pool': 1, 'irqs': 'vcpu1'},
                    cpus={'cpus': '2,3'},
                    memory={'size': '128M'}), BUSY)
    vm.wait_for('computes')
    START = ticks(2)
    must('devirt', 'create', conf('idle', cpus={'cpus': '5'}))
    shown = loads(must('devirt', 'show', '--json', 'seen'))
    record = next(one for one in shown['records'] if one['kind'] == 'vf')
    tap.equal((record['irqs'], record['irqs_cpu']), ('fixed', 3),
              "show: interrupts on the CPU of the vCPU that irqs= names")
    shown = must('devirt', 'show', 'seen')
    tap.ok('interrupts on CPU 3' in ' '.join(shown.split()), 'show: in words', shown)
    address, vmm = record['address'], loads(must('devirt', 'show', '--json', 'seen'))['vmm']
    numbers(tap, vmm)
    tables(tap)
    picture(tap, address)
    advice(tap)
    past = [json.loads(line)['event'] for line in
            must('devirt', 'events', '--past', '--json', 'seen').splitlines()]
    tap.ok({'applied', 'attached', 'pinned'} <= set(past), 'events --past: what was before', past)
    # the names of both are known to it before they go
    watch = Run('devirt', 'stat', '--watch=60', 'seen')
    watch.wait_for('vCPU 0')
    text = Run('devirt', 'events', '--follow', 'idle')
    os.kill(vm.process.pid, signal.SIGTERM)
    vm.wait()
    gone('seen')
    tap.ok(watch.wait() == 0 and "'seen' was released" in watch.output,
           'stat --watch: ends with the partition', watch.output)
    must('devirt', 'release', 'idle')
    tap.ok(text.wait() == 0 and 'released' in text.output.splitlines()[-1],
           'events --follow NAME: ends with the partition', text.output)
    wait_until(lambda: events.output.count('"released"') >= 2, 'both ends')
    os.kill(events.process.pid, signal.SIGTERM)
    status = events.wait()
    lines = [json.loads(line) for line in events.output.splitlines()]
    tap.ok(status == 0 and [(one['partition'], one['event']) for one in lines
                            if one['event'] == 'released'] ==
           [('seen', 'released'), ('idle', 'released')],
           'events --follow --json: of partitions that came later too', status, lines)
    tap.ok(any(one['event'] == 'pinned' and one['partition'] == 'seen' and one['cpu'] == 3
               and one['value'] == 1 for one in lines),
           'events: the pinning of a vCPU', lines)
    tap.ok(not exists('seen') and not exists('idle'), 'both are gone')
    result = run('devirt', 'stat')
    tap.equal((result.returncode, result.stdout), (0, 'No partition exists.\n'),
              'stat: where there is none')
    result = run('devirt', 'stat', 'seen')
    tap.ok(result.returncode == 1 and "'seen'" in result.stderr and 'devirt show' in result.stderr,
           'stat: of one that is not there', result)


START = FIRST = 0
main(test)
