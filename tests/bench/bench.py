# SPDX-License-Identifier: GPL-2.0
"""What the benchmarks share: counts by the kernel's own tracing, and output.

Runs inside the emulated machine, as scripts/bench starts it. What is common
with the end-to-end tests is theirs (tests/e2e/e2e.py).
"""
import argparse
import json
import os
import platform
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '../e2e'))
# pylint: disable=wrong-import-position
from e2e import read  # noqa: E402

TRACING = '/sys/kernel/tracing/instances/devirt-bench'
PROGRAMS = '/devirt/build/userspace/tests'


class Wrong(Exception):
    """The machine isn't as it should be, or a method doesn't do its job: no row."""


def need(good, what):
    """Something without which a row would mean nothing."""
    if not good:
        raise Wrong(what)


def say(text):
    """How far it is."""
    print(f'bench: {text}', file=sys.stderr, flush=True)


# -------------------------------------------------------------------- tracing

class Hist:
    """The kernel's own count of a trace event, by some of its fields.

    A hist: trigger counts each event when it happens and writes no record, so
    nothing is overwritten. What doesn't fit in its table the kernel counts, and
    that is an error here.
    """

    def __init__(self, event, keys, condition=None, size=4096):
        if not os.path.exists(TRACING):
            os.mkdir(TRACING)
        self.keys = keys
        self.path = f'{TRACING}/events/{event.replace(":", "/")}'
        self.trigger = f'hist:keys={",".join(keys)}:size={size}'
        if condition:
            self.trigger += f' if {condition}'
        self.set(self.trigger)

    def set(self, text):
        """Adds a trigger, changes one, or with '!' removes it."""
        # Opened to be written anew, the file would forget all others.
        handle = os.open(f'{self.path}/trigger', os.O_WRONLY)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)

    def read(self):
        """{fields: how often}; fields are numbers where they can be."""
        text = read(f'{self.path}/hist')
        lost = re.search(r'^\s*Dropped: (\d+)', text, re.M)
        need(lost, f'{self.path}/hist says nothing of what it dropped')
        need(lost.group(1) == '0', f'{lost.group(1)} events of {self.path} were not counted')
        line = ',\\s*'.join(f'{key}:\\s*(.*?)\\s*' for key in self.keys)
        found = {}
        rows = re.findall(rf'^\{{ {line}\}} hitcount:\s*(\d+)', text, re.M)
        need(len(rows) == len(re.findall(r'^\{', text, re.M)),
             f'{self.path}/hist was not understood:\n{text[:2000]}')
        for *fields, count in rows:
            key = tuple(int(field) if re.fullmatch(r'-?\d+', field) else field
                        for field in fields)
            found[key] = found.get(key, 0) + int(count)
        return found

    def end(self):
        """Ends it. Returns the last count."""
        found = self.read()
        self.set(f'!{self.trigger}')
        return found


def tracing_end():
    """Gives the tracing back."""
    if os.path.exists(TRACING):
        os.rmdir(TRACING)


def on_cpus(cpus):
    """A condition for events on these CPUs, which follow one another."""
    need(list(cpus) == list(range(cpus[0], cpus[-1] + 1)), f'CPUs {cpus}')
    return f'CPU >= {cpus[0]} && CPU <= {cpus[-1]}'


# --------------------------------------------------------------------- output

def facts():
    """Where it was measured."""
    return {
        'kernel': platform.release(), 'machine': os.environ.get('DEVIRT_MACHINE', '?'),
        'cpus': os.cpu_count(), 'clock': os.environ.get('DEVIRT_CLOCK', 'real'),
    }


def where(found):
    """The same, for people."""
    return f"Linux {found['kernel']}, machine '{found['machine']}', {found['cpus']} CPUs"


def print_table(head, rows):
    """Columns as wide as they must be: the first to the left, others to the right."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print('  ' + '  '.join(f'{cell:<{width}}' if not i else f'{cell:>{width}}'
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


def print_json(value):
    """The same for programs."""
    print(json.dumps(value, indent=2))


def arguments(doc):
    """A parser with what all have."""
    parser = argparse.ArgumentParser(usage=doc.splitlines()[0])
    parser.add_argument('--json', action='store_true')
    return parser


def names(parser, chosen, known):
    """The rows that were asked for: all, or those of `A,B`."""
    wanted = chosen.split(',') if chosen else list(known)
    unknown = set(wanted) - set(known)
    if unknown:
        parser.error(f'no row {", ".join(sorted(unknown))}, but {", ".join(known)}')
    return wanted


def main(function):
    """Runs a benchmark; what goes wrong ends it with the reason."""
    try:
        function()
    except (Wrong, RuntimeError, TimeoutError, OSError) as problem:
        sys.exit(f'bench: {problem}')
    finally:
        tracing_end()
