#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The tool against the real module: what it prints, and how it exits.

No guest is booted: small programs stand for the VMM.
"""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
from e2e import (DISK, PF, Run, conf, driver, exists, gone, huge_pages, loads, main, must,
                 restored, run, snapshot, too_much)

CPUS = {'count': 2, 'threads': 2}
MEMORY = {'size': '32M'}


def error_of(result):
    """The error object of a --json run."""
    return (loads(result.stdout) or loads(result.stderr) or {}).get('error', {})


def errors(tap):
    """Each names the thing, the reason and the remedy, in words and as JSON."""
    before = snapshot()
    busy = conf('busy', cpus={'cpus': '2,3'})
    must('devirt', 'create', busy)
    name = os.listdir(f'/sys/bus/pci/devices/{PF}/net')[0]
    must('ip', 'address', 'add', '10.9.7.1/24', 'dev', name)
    disk = os.listdir(f'/sys/bus/pci/devices/{DISK}/nvme')[0] + 'n1'
    must('dmsetup', 'create', 'devirt-test', '--table', f'0 2048 linear /dev/{disk} 0')
    size, pages = too_much()
    total = f'{pages * size >> 20}M'
    size = f'{size >> 30}G' if size >> 30 else f'{size >> 20}M'
    cases = [
        # what, sections, status, words of the message, reason
        ('no such function', {'device_x': {'address': '0000:09:00.0'}}, 1,
         ['0000:09:00.0', 'no such', 'devirt devices'], None),
        ('a bridge', {'device_x': {'address': '0000:00:01.0'}}, 1,
         ['0000:00:01.0', 'bridge', 'behind it'], 'not-endpoint'),
        ('an addressed interface', {'device_x': {'address': PF}}, 1,
         [PF, name, '10.9.7.1', 'remove the address', 'VF of it'], 'net-address'),
        ('a disk in use', {'device_x': {'address': DISK}}, 1,
         [DISK, disk, 'part of devirt-test'], 'block-claimed'),
        ('no SR-IOV', {'vf_x': {'pf': DISK}}, 1, [DISK, 'SR-IOV'], 'not-pf'),
        ('half of a group', {'device_x': {'address': '0000:05:01.0'}}, 1,
         ['0000:05:01.0', 'IOMMU group', '0000:05:02.0'], 'group-shared'),
        ('too many pages', {'memory': {'size': total, 'page': size}}, 1,
         [f'{pages} pages of {size}', 'could give', 'ask for less'], 'pages-short'),
        ('a leased CPU', {'cpus': {'cpus': '2,3'}}, 1,
         ['CPU 2', "'busy'", 'take another'], None),
        ('no such CPU', {'cpus': {'cpus': '99'}}, 1, ['CPU 99', 'lscpu'], None),
        ('all CPUs', {'cpus': {'cpus': '0-5'}}, 1, ['CPU'], None),
        ('an unknown key', {'cpus': {'count': 1, 'colour': 'red'}}, 2, ['colour', ':3:'], None),
        ('a size without a unit', {'memory': {'size': '512'}}, 2, ['512', ':2:'], None),
    ]
    for what, sections, status, words, reason in cases:
        path = conf('wrong', **sections)
        result = run('devirt', 'create', path)
        missing = [word for word in words if word not in result.stderr]
        tap.ok(result.returncode == status and not missing and not result.stdout
               and result.stderr.startswith('devirt: '),
               f'{what}: status {status}, told in words', result, missing)
        told = run('devirt', 'create', '--json', path)
        error = error_of(told)
        tap.ok(told.returncode == status and error.get('message') and not told.stderr
               and (reason is None or error.get('reason') == reason)
               and all(word in told.stdout for word in words if word != f':{error.get("line")}:'),
               f'{what}: and as JSON', told, reason)
    tap.ok(not exists('wrong'), 'no partition is left by any')
    must('ip', 'address', 'flush', 'dev', name)
    must('dmsetup', 'remove', '--retry', 'devirt-test')
    result = run('devirt', 'create', busy)
    tap.ok(result.returncode == 1 and 'exists already' in result.stderr
           and 'devirt release busy' in result.stderr, 'a name that is taken', result)
    must('devirt', 'release', 'busy')
    for command in (['show', 'nobody'], ['release', 'nobody'], ['events', 'nobody'],
                    ['stat', 'nobody'], ['stat', '--watch', 'nobody']):
        result = run('devirt', *command)
        tap.ok(result.returncode == 1 and 'nobody' in result.stderr,
               f'{command[0]} of a partition that is not there: 1', result)
    for command in ([], ['frobnicate'], ['create'], ['run', 'x'], ['plan', '--frob', 'x'],
                    ['create', 'no/such/file.conf'], ['create', 'nobody'], ['create', 'a b']):
        result = run('devirt', *command)
        tap.equal(result.returncode, 125 if command[:1] == ['run'] else 2,
                  f'bad usage: devirt {" ".join(command)}')
    restored(tap, before, 'errors')


def running(tap):
    """What run does for the VMM's life."""
    before = snapshot()
    path = conf('run', vf_net={'pf': PF, 'pool': 1}, cpus=CPUS, memory=MEMORY)
    light = conf('light', cpus=CPUS)

    result = run('devirt', 'run', '--quiet', path, '--', 'sh', '-c',
                 'cat; echo to-stderr >&2; exit 42', input='through\n')
    tap.equal((result.returncode, result.stdout, result.stderr), (42, 'through\n', 'to-stderr\n'),
              "run: stdin, stdout, stderr and the status are the VMM's")
    restored(tap, before, 'run')

    result = run('devirt', 'run', path, '--', 'sh', '-c',
                 'printf "%s\\n" "$@"; ls -d /sys/bus/pci/drivers/vfio-pci/0000:*;'
                 'ls /proc/self/fd', 'sh', '@devirt@', 'dev=@devirt.net@,n=@devirt.cpus@',
                 '-m@devirt.memory@', '@', 'x@y')
    lines = result.stdout.splitlines()
    address = next((line.split('/')[-1] for line in lines if 'vfio-pci/' in line), None)
    tap.ok(address and f'vfio-pci,host={address},id=net' in lines
           and '2,sockets=1,cores=1,threads=2' in lines and f'dev={address},n=2' in lines
           and '-m32M' in lines and '@' in lines and 'x@y' in lines,
           'run: the placeholders are replaced', result)
    tap.ok(any('memory-backend-memfd' in line and 'hugetlbsize=2M' in line for line in lines),
           'run: @devirt@ has the huge pages', lines)
    tap.equal([line for line in lines if line.isdigit()], ['0', '1', '2', '3'],
              'run: the VMM inherits no descriptor (3 is of ls)')
    tap.ok('leased' in result.stderr and address in result.stderr, 'run: says what it leased',
           result.stderr)
    result = run('devirt', 'run', light, '--', 'true', '@devirt.nic9@')
    tap.ok(result.returncode == 125 and 'nic9' in result.stderr,
           'run: a placeholder that stands for nothing is refused', result)
    result = run('devirt', 'run', '--json', light, '--', 'echo', 'out')
    tap.ok(result.stdout == 'out\n' and loads(result.stderr) is not None,
           "run --json: on stderr, stdout is the VMM's", result)
    result = run('devirt', 'run', '--quiet', light, 'sh', '-c', 'kill -SEGV $$')
    tap.equal(result.returncode, 128 + signal.SIGSEGV, 'run: a signal that ends the VMM')

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        vm = Run('devirt', 'run', '--quiet', light, '--', 'sh', '-c',
                 f'trap "echo got; exit 33" {number.value}; echo ready;'
                 'while :; do sleep 0.05; done')
        vm.wait_for('ready')
        os.kill(vm.process.pid, number)
        status = vm.wait()
        tap.ok(status == 33 and 'got' in vm.output, f'run: {number.name} is passed on', status,
               vm.output)

    vm = Run('devirt', 'run', '--quiet', path, '--', 'sh', '-c', 'echo ready; read x')
    vm.wait_for('ready')
    shown = loads(must('devirt', 'show', '--json', 'run'))
    tap.ok(shown['state'] == 'held' and not shown['persistent']
           and shown['owner'] == vm.process.pid and shown['vmm'] == vm.children()[0],
           'show: of a run, with tool and VMM', shown)
    result = run('devirt', 'release', 'run')
    tap.ok(result.returncode == 1 and str(vm.process.pid) in result.stderr,
           'release: a run is its process\'s own', result)
    tables(tap, 'run')
    vm.say('')
    vm.wait()
    restored(tap, before, 'runs')


def persistent(tap):
    """create, show, args, release."""
    before = snapshot()
    path = conf('kept', vf_net={'pf': PF, 'pool': 1}, cpus=CPUS, memory=MEMORY)
    pages = huge_pages()

    result = must('devirt', 'plan', path)
    planned = loads(must('devirt', 'plan', '--json', path))
    tap.ok('CPU 2' in result and [record['cpu'] for record in planned['records']
                                  if record['kind'] == 'cpu'] == [2, 3],
           'plan: shows the choice', result)
    restored(tap, before, 'plan')
    result = run('devirt', 'args', path)
    tap.equal(result.returncode, 1, 'args: of a VF that is not chosen yet')

    created = loads(must('devirt', 'create', '--json', path))
    tap.equal([(record['kind'], record.get('cpu')) for record in created['records']],
              [(record['kind'], record.get('cpu')) for record in planned['records']],
              'create: takes what plan has shown')
    address = next(record['address'] for record in created['records'] if record['kind'] == 'vf')
    tap.ok(driver(address) == 'vfio-pci' and huge_pages() == pages + 16,
           'create: the host agrees', address, driver(address), huge_pages())
    shown = loads(must('devirt', 'show', '--json', 'kept'))
    tap.ok(shown['state'] == 'held' and shown['persistent'] and shown['vmm'] is None,
           'show: held, and nobody uses it', shown)
    words = loads(must('devirt', 'args', '--json', path))
    tap.ok(f'vfio-pci,host={address},id=net' in words and '-smp' in words,
           'args: of what is leased', words)
    line = must('devirt', 'args', '--one-line', path).split()
    tap.equal(line, words, 'args --one-line: the same words')
    tables(tap, 'kept')
    jsons(tap, path)
    events = [json.loads(one)['event'] for one in
              must('sh', '-c', 'devirt events --follow --json kept & sleep 0.5;'
                   'devirt release kept; wait').splitlines()]
    tap.ok(events[-1:] == ['released'], 'events --follow: to the end', events)
    tap.ok(not exists('kept'), 'release: it is gone')
    restored(tap, before, 'release')


def tables(tap, name):
    """What people read fits on a terminal."""
    for command in (['check'], ['check', name], ['devices'], ['devices', '--all'], ['show'],
                    ['show', name], ['stat'], ['stat', name], ['cpus']):
        result = run('devirt', *command)
        wide = [line for line in result.stdout.splitlines() if len(line) > 80]
        tap.ok(result.returncode == 0 and result.stdout and not wide,
               f'devirt {" ".join(command)}: at most 80 columns', *wide, result.stderr)


def jsons(tap, path):
    """Whatever prints JSON prints nothing else."""
    for command in (['check'], ['devices'], ['devices', '--all'], ['plan', conf('other', cpus={
            'cpus': '4,5'})], ['show'], ['show', 'kept'], ['stat'], ['stat', 'kept'], ['cpus'], ['args', path]):
        command = [command[0], '--json', *command[1:]]
        result = run('sh', '-c', 'devirt "$@" | jq -e . >/dev/null', 'sh', *command)
        tap.equal((result.returncode, result.stderr), (0, ''),
                  f'devirt {" ".join(command[:2])}: JSON for jq')


def not_ours(tap):
    """Without the right to use it."""
    result = run('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups',
                 'devirt', 'show')
    tap.ok(result.returncode == 3 and 'devirt' in result.stderr, 'without permission: 3', result)


def test(tap):
    """All of them."""
    errors(tap)
    running(tap)
    persistent(tap)
    not_ours(tap)
    gone('kept')


main(test)
