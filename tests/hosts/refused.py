# SPDX-License-Identifier: GPL-2.0
"""A host that can't keep a guest's devices from its own memory, or the guest from
forging interrupts: functions are refused, the rest can be leased."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '../e2e'))
# pylint: disable=wrong-import-position
from e2e import DISK, PF, conf, driver, gone, loads, must, restored, run, snapshot


def refused(tap, reason, words, advice):
    """Each kind of function for @reason, with @words, and `devirt check` gives @advice."""
    before = snapshot()
    for what, sections in (('a function', {'device_x': {'address': DISK}}),
                           ('a new VF', {'vf_x': {'pf': PF, 'pool': 1}})):
        path = conf('unsafe', cpus={'cpus': '2,3'}, **sections)
        for command in ('create', 'plan'):
            result = run('devirt', command, path)
            tap.ok(result.returncode == 1 and all(word in result.stderr for word in words),
                   f'{command} refuses {what}, and says what to do',
                   result.returncode, result.stderr)
        error = (loads(run('devirt', 'create', '--json', path).stdout) or {}).get('error', {})
        tap.equal(error.get('reason'), reason, f'{what}: the reason, as JSON')
        gone('unsafe')
    tap.equal(driver(DISK), 'nvme', "the disk is the host's")
    restored(tap, before, 'refused')

    result = run('devirt', 'check')
    tap.ok(result.returncode == 1 and advice in result.stdout, "'devirt check' says it too",
           result.returncode, result.stdout, result.stderr)

    must('devirt', 'create', conf('safe', cpus={'cpus': '2,3'}, memory={'size': '32M'}))
    must('devirt', 'release', 'safe')
    gone('safe')
    restored(tap, before, 'CPUs and memory without a function')
