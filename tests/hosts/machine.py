# SPDX-License-Identifier: GPL-2.0
"""The emulated machine from inside: plugging devices in and out, and the kernel's
log."""
import glob
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '../e2e'))
# pylint: disable=wrong-import-position
from e2e import SYSFS, must, read, wait_until

PROMPT = '(qemu) '


class Monitor:
    """The emulator's monitor: one command after the other."""

    def __init__(self):
        for path in glob.glob('/sys/class/virtio-ports/*'):
            if read(f'{path}/name') == 'monitor':
                self.port = os.open(f'/dev/{os.path.basename(path)}', os.O_RDWR)
                return
        raise RuntimeError('this machine has no port to the monitor')

    def __call__(self, command):
        """Does a command; what it answers that isn't our own echo is an error."""
        os.write(self.port, command.encode() + b'\n')
        answer = ''
        timer = threading.Timer(60, os._exit, [1])
        timer.start()
        # Its greeting and the echo end with a prompt too.
        while not (command[-20:] in answer and answer.endswith(PROMPT)):
            answer += os.read(self.port, 4096).decode(errors='replace')
        timer.cancel()
        for line in answer.replace('\r', '\n').split('\n'):
            if line.startswith(('Error', 'error')):
                raise RuntimeError(f'{command}: {line}')

    def plug(self, device, port, **properties):
        """Plugs a device in. Returns its address, once it has one."""
        options = ''.join(f',{key}={value}' for key, value in properties.items())
        self(f'device_add {device},id=hot{port},bus=port{port}{options}')
        wait_until(lambda: behind(port), f'a function behind port{port}')
        must('udevadm', 'settle')
        return behind(port)

    def unplug(self, port):
        """Unplugs what is behind a port."""
        self(f'device_del hot{port}')
        wait_until(lambda: not behind(port), f'nothing behind port{port}')


def behind(port):
    """The address of the function behind a root port, or None."""
    found = glob.glob(f'{SYSFS}/0000:00:{port:02x}.0/0000:*:00.0')
    return os.path.basename(found[0]) if found else None


def kernel_log():
    """What the kernel has said since it was booted."""
    return must('dmesg')
