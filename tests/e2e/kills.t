#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""SIGKILL at random moments of a run's life: nothing is left behind.

The moments are from before the lease to a booting guest, spread evenly, but for
the first, which is as soon as there is a partition, and the last, when there is a
VMM: a slow machine may get no further than one of them. The victims are the tool,
the VMM, or both at once. KILLS and SEED may be in the environment.
"""
import os
import random
import sys
import time

sys.dont_write_bytecode = True
from e2e import PF, Guest, conf, exists, gone, kill, main, note, restored, snapshot, wait_until

# With a real VMM, whose start takes most of the time. tests/stress/kills.c does
# hundreds, with a small one.
KILLS = int(os.environ.get('KILLS', '5' if os.environ.get('DEVIRT_KERNEL') == 'debug' else '10'))


def leased(name):
    """What is there at this moment, for the summary."""
    try:
        with open(f'/sys/class/devirt/{name}/state', encoding='utf-8') as file:
            return file.read().strip()
    except FileNotFoundError:
        return 'none'


def test(tap):
    """All of them."""
    seed = int(os.environ.get('SEED', time.time_ns() % 1000000))
    note(f'SEED={seed}')
    chance = random.Random(seed)
    path = conf('killed', vf_net={'pf': PF, 'pool': 1}, cpus={'count': 2, 'threads': 2},
                memory={'size': '64M'})
    before = snapshot()

    # How long a life is here: until its guest has run for a moment.
    begin = time.monotonic()
    vm = Guest(path, 'sleep 100')
    wait_until(lambda: leased('killed') == 'held' and vm.children(), 'a VMM')
    time.sleep(0.4 * (time.monotonic() - begin))
    length = time.monotonic() - begin
    vm.process.kill()
    kill_all(vm)
    gone('killed')
    restored(tap, before, 'a first one')

    seen = {}
    bad = 0
    for number in range(KILLS):
        victims = chance.choice(['tool', 'VMM', 'tool and VMM', 'tool and VMM'])
        begin = time.monotonic()
        vm = Guest(path, 'sleep 100')
        if number == 0:
            wait_until(lambda: exists('killed'), 'a partition')
        elif number == KILLS - 1:
            wait_until(lambda: leased('killed') == 'held' and vm.children(), 'a VMM')
        else:
            time.sleep(chance.uniform(number - 1, number) / (KILLS - 2) * length)
        moment = time.monotonic() - begin
        state = leased('killed') + (' with VMM' if vm.children() else '')
        children = vm.children()
        if 'tool' in victims:
            vm.process.kill()
        for child in children if 'VMM' in victims else ():
            kill(child)
        if victims == 'VMM' and not children:
            # It was too early for that.
            vm.process.kill()
        status = vm.process.wait()
        if victims == 'VMM' and children and status != 137:
            tap.ok(False, 'the tool tells how the VMM ended', f'status {status}')
        wait_until(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in children),
                   'the end of the VMM')
        gone('killed')
        seen[state] = seen.get(state, 0) + 1
        if not restored(tap, before, f'{number + 1}: {victims} at {moment:.2f} s, {state}'):
            bad += 1
    note(f'{KILLS} kills, {bad} differences; at that moment: {seen}')
    tap.ok(len(seen) > 1, 'the moments were different ones', seen)
    tap.ok(not exists('killed'), 'no partition is left')


def kill_all(vm):
    """The tool's children too."""
    for child in vm.children():
        kill(child)
    vm.process.wait()


main(test)
