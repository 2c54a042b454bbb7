# SPDX-License-Identifier: GPL-2.0
"""What the end-to-end tests share: TAP, snapshots of the host, partition files,
guests on leases, and the kernel's own trace of VM entries.

Runs inside the emulated machine (scripts/vm --machine default).
"""
import base64
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
SNAPSHOT = os.path.join(HERE, '../lib/snapshot')
GUEST = '/usr/lib/devirt/guest'
SYSFS = '/sys/bus/pci/devices'

PF = '0000:01:00.0'
DISK = '0000:03:00.0'

# How long something may take before it counts as hung. Checking kernels are
# many times slower; none of the tests compares durations.
PATIENCE = 600 if os.environ.get('DEVIRT_KERNEL') == 'debug' else 150

WORK = tempfile.mkdtemp(prefix='devirt-e2e.', dir='/run')


# ------------------------------------------------------------------------ TAP

class Tap:
    """One test program's TAP stream."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def ok(self, good, name, *details):
        """A check; the details are printed when it fails."""
        self.number += 1
        print(f'{"ok" if good else "not ok"} {self.number} - {name}', flush=True)
        if not good:
            self.failed += 1
            for detail in details:
                note(detail)
        return bool(good)

    def equal(self, got, expected, name):
        """A check that says what it got instead."""
        return self.ok(got == expected, name, f'got {got!r}', f'expected {expected!r}')

    def done(self):
        """Ends the program."""
        print(f'1..{self.number}', flush=True)
        shutil.rmtree(WORK, ignore_errors=True)
        sys.exit(1 if self.failed or not self.number else 0)


def note(text):
    """A comment in the TAP stream."""
    for line in str(text).splitlines():
        print(f'# {line}', flush=True)


def main(test):
    """Runs test(tap), so that whatever goes wrong is a failure and is told."""
    tap = Tap()
    if not os.path.exists('/dev/devirt'):
        print('Bail out! /dev/devirt is missing: the module is not loaded')
        sys.exit(1)
    try:
        test(tap)
    except Exception as problem:  # pylint: disable=broad-except
        import traceback
        tap.ok(False, f'the test itself: {problem}', traceback.format_exc())
    tap.done()


# ------------------------------------------------------------------- commands

def read(path):
    """A file's text without the blanks around it."""
    with open(path, encoding='utf-8') as file:
        return file.read().strip()


def write(path, text):
    """Writes a (sysfs) file."""
    with open(path, 'w', encoding='utf-8') as file:
        file.write(str(text))


def run(*command, **options):
    """Runs a command; .returncode, .stdout and .stderr say how it went."""
    options.setdefault('timeout', PATIENCE)
    options.setdefault('stdin', subprocess.DEVNULL)
    if 'input' in options:
        options.pop('stdin')
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, **options)


def must(*command):
    """Runs a command that the test depends on."""
    result = run(*command)
    if result.returncode:
        raise RuntimeError(f'{" ".join(command)}: {result.returncode} {result.stderr}')
    return result.stdout


def wait_until(condition, what, seconds=None):
    """Waits for something that is to happen by itself."""
    end = time.monotonic() + (seconds or PATIENCE)
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f'waited in vain: {what}')
        time.sleep(0.02)


# ------------------------------------------------------------------- the host

def snapshot():
    """The host's state, as a file."""
    # Events of the past must not move anything any more.
    must('udevadm', 'settle')
    handle, path = tempfile.mkstemp(dir=WORK)
    with os.fdopen(handle, 'w') as file:
        subprocess.run([SNAPSHOT], stdout=file, check=True, timeout=PATIENCE)
    return path


def differences(before, after):
    """How two snapshots differ, as lines."""
    result = run(SNAPSHOT, 'diff', before, after)
    if result.returncode not in (0, 1):
        raise RuntimeError(f'snapshot diff: {result.stdout}{result.stderr}')
    return result.stdout.splitlines()


def leased(tap, before):
    """A check that all kinds are seen to differ while they are leased."""
    found = '\n'.join(differences(before, snapshot()))
    return tap.ok(all(word in found for word in (
        f'pci/{DISK}/driver', f'pci/{PF}/sriov_numvfs', 'node0/hugepages-2048kB',
        'workqueue/cpumask', 'task/', 'irq/')), 'a lease is seen in the snapshot', found)


def restored(tap, before, name):
    """A check that the host is as it was before."""
    found = differences(before, snapshot())
    return tap.ok(not found, f'{name}: the host is as it was', *found)


def driver(address):
    """The driver of a PCI function, or None."""
    link = f'{SYSFS}/{address}/driver'
    return os.path.basename(os.readlink(link)) if os.path.exists(link) else None


def netif(address):
    """The network interface of a PCI function."""
    return os.listdir(f'{SYSFS}/{address}/net')[0]


def huge_pages(node=0):
    """How many pages of 2M a node has."""
    return int(read(f'/sys/devices/system/node/node{node}/hugepages'
                    '/hugepages-2048kB/nr_hugepages'))


def too_much():
    """Page size and number of pages that no host here has."""
    if os.path.exists('/sys/kernel/mm/hugepages/hugepages-1048576kB'):
        return 1 << 30, 64
    return 2 << 20, os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // (2 << 20) + 1


def available():
    """Bytes that can be had, with all that can be pushed out."""
    with open('/proc/meminfo', encoding='ascii') as file:
        lines = dict(line.split(':') for line in file)
    return int(lines['MemAvailable'].split()[0]) << 10


def address_pf(address):
    """Gives the PF's interface an address, and waits for its carrier."""
    name = netif(PF)
    must('ip', 'address', 'replace', address, 'dev', name)
    must('ip', 'link', 'set', name, 'up')
    wait_until(lambda: read(f'/sys/class/net/{name}/carrier') == '1', f'carrier of {name}')
    return name


# ----------------------------------------------------------------- partitions

# All kinds.
ALL = {
    'device_disk': {'address': DISK},
    'vf_net': {'pf': PF, 'pool': 2},
    'cpus': {'count': 2, 'threads': 2},
    'memory': {'size': '128M'},
}

def conf(name, **sections):
    """Writes a partition file. A section's name has its first '_' as a blank."""
    path = os.path.join(WORK, name + '.conf')
    with open(path, 'w', encoding='utf-8') as file:
        for section, keys in sections.items():
            file.write(f'[{section.replace("_", " ", 1)}]\n')
            for key, value in keys.items():
                file.write(f'{key.replace("_", "-")}={value}\n')
    return path


def exists(name):
    """Does a partition of that name exist?"""
    return os.path.exists(f'/sys/class/devirt/{name}')


def gone(name):
    """Waits until a partition is released."""
    wait_until(lambda: not exists(name), f'the end of partition {name}')


# --------------------------------------------------------------------- guests

# The firmware and the parameters make a boot quick; accelerator, CPU model,
# machine and kernel are what one would use.
PARAMETERS = ('console=ttyS0 quiet panic=-1 mitigations=off nokaslr audit=0 tsc=reliable '
              'no_timer_check cryptomgr.notests pci=lastbus=0')


def qemu(script, modules='', extra=()):
    """QEMU's command line for a guest that runs a shell script."""
    code = base64.b64encode(script.encode()).decode()
    append = f'{PARAMETERS} devirt.modules={modules} devirt.run={code}'
    if len(append) >= 2048:
        raise ValueError('the script is too long for a kernel command line')
    return ['qemu-system-x86_64', '-accel', 'kvm', '-cpu', 'host,topoext=on',
            '-machine', 'q35,hpet=off,smbus=off,sata=off,i8042=off', '-bios', 'qboot.rom',
            '-nodefaults', '-nographic', '-serial', 'stdio', '-no-reboot',
            '-kernel', f'{GUEST}/vmlinuz', '-initrd', f'{GUEST}/initrd',
            '-append', append, '@devirt@', *extra]


class Run:
    """A command that runs while the test goes on; what it prints is collected."""

    def __init__(self, *command):
        self.command = command
        self.changed = threading.Condition()
        self.start()

    def start(self):
        """Runs it, for the first time or once more."""
        self.output = ''
        self.ended = False
        # A session of its own, so that all of it can be killed.
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.reader = threading.Thread(target=self._collect, daemon=True)
        self.reader.start()

    def _collect(self):
        while True:
            data = os.read(self.process.stdout.fileno(), 65536)
            with self.changed:
                self.output += data.decode(errors='replace').replace('\r', '')
                self.ended = not data
                self.changed.notify_all()
            if not data:
                return

    def wait_for(self, text, seconds=PATIENCE):
        """Waits until it has printed a text."""
        with self.changed:
            self.changed.wait_for(lambda: text in self.output or self.ended, seconds)
            if text not in self.output:
                raise RuntimeError(f'no {text!r} in: {self.output[-2000:]}')

    def say(self, text):
        """Writes a line to its standard input."""
        self.process.stdin.write(text.encode() + b'\n')
        self.process.stdin.flush()

    def wait(self):
        """Waits for its end. Returns the exit status."""
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return status

    def children(self):
        """Its child processes."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                parent = read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()[1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == self.process.pid:
                found.append(int(pid))
        return found

    def value(self, key):
        """What it has printed behind 'KEY=', or None."""
        for line in self.output.splitlines():
            if line.startswith(key + '='):
                return line[len(key) + 1:].strip()
        return None


class Guest(Run):
    """An unmodified QEMU/KVM guest that runs a shell script on a lease."""

    def __init__(self, path, script, modules='', extra=(), options=('--quiet',)):
        super().__init__('devirt', 'run', *options, path, '--',
                         *qemu(script, modules, extra))
        self.partition = os.path.basename(path).removesuffix('.conf')

    def came_up(self):
        """Whether the guest is up before long. Of those that are booted by a KVM
        whose processor is emulated itself, one in a hundred or two hangs before it
        says a word: it is ended, and that is told."""
        try:
            super().wait_for('guest: up', PATIENCE / 3)
            return True
        except RuntimeError:
            if self.ended or 'guest:' in self.output:
                raise
        note(f'a guest did not come up, once more: {self.where()}')
        for child in [*self.children(), self.process.pid]:
            kill(child)
        self.wait()
        gone(self.partition)
        return False

    def boot(self):
        """Waits until the guest is up; a second time if need be."""
        if not self.came_up():
            self.start()
            super().wait_for('guest: up')

    def where(self):
        """What its VMM's threads are doing, for who wants to know why."""
        found = []
        for child in self.children():
            try:
                for task in os.listdir(f'/proc/{child}/task'):
                    at = f'/proc/{child}/task/{task}'
                    fields = read(f'{at}/stat').rsplit(')', 1)[1].split()
                    found.append(f'{read(f"{at}/comm")}: {fields[0]}, CPU {fields[36]}, '
                                 f'{fields[11]} + {fields[12]} ticks')
            except (FileNotFoundError, ProcessLookupError):
                continue
        return '; '.join(found)

    def wait_for(self, text, seconds=PATIENCE):
        """Waits until the guest has printed a text."""
        self.boot()
        super().wait_for(text, seconds)

    @property
    def status(self):
        """What the guest's script ended with, or None."""
        at = self.output.rfind('guest: exit ')
        return int(self.output[at:].split()[2]) if at >= 0 else None


# A guest's script: its VF's interface is up, with an address.
VF_UP = '''
ip link set eth0 up
ip address add 10.9.0.2/24 dev eth0
n=0
until [ "$(cat /sys/class/net/eth0/carrier)" = 1 ]; do
	n=$((n+1)); [ $n -lt 600 ] || exit 9
	usleep 50000
done
'''


# ------------------------------------------------------- the trace of entries

class Entries:
    """The kernel's own kvm:kvm_entry trace, from now on, in buffers of its own."""

    # Bytes an entry takes are about 50; a guest's boot makes tens of thousands.
    KILOBYTES = 4096

    def __init__(self):
        self.dir = '/sys/kernel/tracing/instances/devirt-e2e'
        if os.path.exists(self.dir):
            os.rmdir(self.dir)
        os.mkdir(self.dir)
        write(f'{self.dir}/buffer_size_kb', self.KILOBYTES)
        # Nothing may be overwritten: what does not fit is counted.
        write(f'{self.dir}/options/overwrite', 0)
        write(f'{self.dir}/events/kvm/kvm_entry/enable', 1)
        self.offset, self.id = self._format()

    def _format(self):
        text = read(f'{self.dir}/events/kvm/kvm_entry/format')
        number = int(text.split('ID: ')[1].split()[0])
        for line in text.splitlines():
            if ' vcpu_id;' in line:
                return int(line.split('offset:')[1].split(';')[0]), number
        raise RuntimeError('kvm_entry has no vcpu_id')

    def some(self):
        """How many entries there were so far."""
        total = 0
        for name in os.listdir(f'{self.dir}/per_cpu'):
            total += int(read(f'{self.dir}/per_cpu/{name}/stats').split()[1])
        return total

    def finish(self):
        """Stops it. Returns {(thread, vcpu, cpu): entries}, {cpu: entries}, lost."""
        write(f'{self.dir}/tracing_on', 0)
        found, counts, lost = {}, {}, 0
        for name in os.listdir(f'{self.dir}/per_cpu'):
            cpu = int(name[3:])
            stats = dict(line.split(': ', 1) for line in
                         read(f'{self.dir}/per_cpu/{name}/stats').splitlines() if ': ' in line)
            lost += int(stats['overrun']) + int(stats['dropped events'])
            counts[cpu] = int(stats['entries'])
            for thread, vcpu in self._events(f'{self.dir}/per_cpu/{name}/trace_pipe_raw'):
                key = (thread, vcpu, cpu)
                found[key] = found.get(key, 0) + 1
        os.rmdir(self.dir)
        return found, counts, lost

    def _events(self, path):
        size = 4096
        try:
            size = int(read(f'{self.dir}/buffer_subbuf_size_kb')) * 1024
        except FileNotFoundError:
            pass
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            while True:
                try:
                    page = os.read(handle, size)
                except BlockingIOError:
                    return
                if not page:
                    return
                yield from self._page(page)
        finally:
            os.close(handle)

    def _page(self, page):
        """The events of one page of the kernel's ring buffer (linux/ring_buffer.h)."""
        end = 16 + (struct.unpack_from('<Q', page, 8)[0] & 0xfffff)
        at = 16
        while at < end:
            kind = page[at] & 31
            if kind == 29:
                delta = struct.unpack_from('<I', page, at)[0] >> 5
                if not delta:
                    return
                at += 4 + struct.unpack_from('<I', page, at + 4)[0]
            elif kind >= 30:
                at += 8
            else:
                length, data = 4 * kind, at + 4
                if not kind:
                    length, data = struct.unpack_from('<I', page, at + 4)[0] - 4, at + 8
                number, _, _, thread = struct.unpack_from('<HBBi', page, data)
                if number != self.id:
                    raise RuntimeError(f'event {number} is none of kvm_entry')
                yield thread, struct.unpack_from('<I', page, data + self.offset)[0]
                at = data + length


def kill(pid, number=signal.SIGKILL):
    """Sends a signal to a process that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def loads(text):
    """JSON, or None if it isn't."""
    try:
        return json.loads(text)
    except ValueError:
        return None
