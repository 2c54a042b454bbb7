# SPDX-License-Identifier: GPL-2.0
"""Real guests for the benchmarks: a small Linux with a VF of the igb card, that
does what it is told on its console, under QEMU as one starts it or as libvirt
does.
"""
import base64
import json
import os
import re
import socket
import subprocess
import threading
import time

from bench import Wrong, need, say
from e2e import GUEST, PARAMETERS, PF, SYSFS, Run, kill, must, read, run, write

VF = '0000:01:10.0'
WORK = '/run/bench'
BOOT = 60

# On each vCPU, so that each enters its guest often.
BUSY = '''
busy() {
	i=0
	while [ $i -lt $(nproc) ]; do
		taskset $((1 << i)) sh -c 'n=0; while [ $n -lt 3000 ]; do n=$((n+1)); done; usleep 200000'
		i=$((i+1))
	done
	echo busy=done
}
'''


class Console:
    """A guest's console, as a socket that its VMM connects to."""

    def __init__(self, name):
        os.makedirs(WORK, exist_ok=True)
        self.path = f'{WORK}/{name}.console'
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.output = ''
        self.connection = None
        self.changed = threading.Condition()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        while True:
            connection, _ = self.listener.accept()
            with self.changed:
                self.connection = connection
            while True:
                try:
                    data = connection.recv(65536)
                except OSError:
                    break
                if not data:
                    break
                with self.changed:
                    self.output += data.decode(errors='replace').replace('\r', '')
                    self.changed.notify_all()

    def forget(self):
        """What is waited for next must be new."""
        with self.changed:
            self.output = ''

    def wait_for(self, pattern, seconds=BOOT):
        """Waits until the guest has printed a line like that; returns the match."""
        with self.changed:
            self.changed.wait_for(lambda: re.search(pattern, self.output, re.M), seconds)
            match = re.search(pattern, self.output, re.M)
            if not match:
                raise TimeoutError(f'no {pattern!r} in: {self.output[-1500:]}')
            return match

    def ask(self, text, pattern, seconds=BOOT):
        """Says a line, and waits for what the guest has to say to it."""
        self.forget()
        self.connection.sendall(text.encode() + b'\n')
        return self.wait_for(pattern, seconds)


def parameters(script, modules):
    """The guest's kernel parameters."""
    code = base64.b64encode(script.encode()).decode()
    text = f'{PARAMETERS.replace(" pci=lastbus=0", "")} devirt.modules={modules} devirt.run={code}'
    need(len(text) < 2048, 'the script is too long for a kernel command line')
    return text


def arguments(console, script, modules, smp, device):
    """QEMU's command line."""
    return ['qemu-system-x86_64', '-accel', 'kvm', '-cpu', 'host', '-smp', smp, '-m', '256',
            '-machine', 'q35,hpet=off,smbus=off,sata=off,i8042=off', '-bios', 'qboot.rom',
            '-nodefaults', '-display', 'none', '-name', 'bench,debug-threads=on',
            '-serial', f'unix:{console.path}', '-qmp', f'unix:{WORK}/qmp,server=on,wait=off',
            '-kernel', f'{GUEST}/vmlinuz', '-initrd', f'{GUEST}/initrd',
            '-append', parameters(script, modules), '-device', f'vfio-pci,host={device}']


def xml(name, console, script, modules, vcpus, present, pins=()):
    """The same as a domain of libvirt's."""
    bus, slot, function = re.fullmatch(r'0000:(..):(..)\.(.)', VF).groups()
    tune = ''.join(f"<vcpupin vcpu='{vcpu}' cpuset='{cpu}'/>" for vcpu, cpu in enumerate(pins))
    path = f'{WORK}/{name}.xml'
    write(path, f"""
<domain type='kvm'>
  <name>{name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu current='{present}'>{vcpus}</vcpu>
  {f"<cputune>{tune}<emulatorpin cpuset='0-1'/></cputune>" if tune else ''}
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <loader type='rom'>/usr/share/qemu/qboot.rom</loader>
    <kernel>{GUEST}/vmlinuz</kernel>
    <initrd>{GUEST}/initrd</initrd>
    <cmdline>{parameters(script, modules)}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='host-passthrough' check='none'/>
  <on_reboot>restart</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='unix'>
      <source mode='connect' path='{console.path}'/>
      <target port='0'/>
    </serial>
    <hostdev mode='subsystem' type='pci' managed='no'>
      <source><address domain='0x0000' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/></source>
    </hostdev>
  </devices>
</domain>
""")
    return path


def qmp(command, **values):
    """One command to the running QEMU."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(f'{WORK}/qmp')
        with monitor.makefile('rw') as file:
            file.readline()
            for request in ({'execute': 'qmp_capabilities'},
                            {'execute': command, 'arguments': values}):
                file.write(json.dumps(request) + '\n')
                file.flush()
                answer = json.loads(file.readline())
                while 'event' in answer:
                    answer = json.loads(file.readline())
                if 'return' not in answer:
                    raise Wrong(f'{command}: {answer}')
            return answer['return']


def plug():
    """Plugs the CPU that the running QEMU has left."""
    free = next(cpu for cpu in qmp('query-hotpluggable-cpus') if 'qom-path' not in cpu)
    qmp('device_add', driver=free['type'], id='plugged', **free['props'])


def vcpu_threads(process):
    """The threads of QEMU that say they are vCPUs: {vCPU: thread}."""
    found = {}
    for thread in os.listdir(f'/proc/{process}/task'):
        try:
            match = re.fullmatch(r'CPU (\d+)/KVM', read(f'/proc/{process}/task/{thread}/comm'))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if match:
            found[int(match.group(1))] = int(thread)
    return found


def vf_by_hand():
    """Makes the VF and gives it to vfio-pci, as one does without devirt."""
    write(f'{SYSFS}/{PF}/sriov_numvfs', '1')
    must('udevadm', 'settle')
    write(f'{SYSFS}/{VF}/driver_override', 'vfio-pci')
    if os.path.exists(f'{SYSFS}/{VF}/driver'):
        write(f'{SYSFS}/{VF}/driver/unbind', VF)
    write('/sys/bus/pci/drivers_probe', VF)
    need(os.path.basename(os.readlink(f'{SYSFS}/{VF}/driver')) == 'vfio-pci', 'no vfio-pci')


def vf_back():
    """And removes it."""
    write(f'{SYSFS}/{PF}/sriov_numvfs', '0')
    must('udevadm', 'settle')


class Libvirt:
    """libvirtd, as it is installed but for what this machine hasn't got."""

    def __init__(self):
        os.makedirs(WORK, exist_ok=True)
        write('/etc/libvirt/qemu.conf', '''
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
namespaces = []
''')
        # pylint: disable-next=consider-using-with
        self.daemon = subprocess.Popen(['libvirtd'], stdout=subprocess.DEVNULL,
                                       stderr=open(f'{WORK}/libvirtd.log', 'w', encoding='utf-8'))
        for _ in range(200):
            if not run('virsh', '-q', 'version').returncode:
                # Its look at what QEMU can takes a while, and runs some.
                must('virsh', '-q', 'domcapabilities', '--virttype', 'kvm', '--machine', 'q35')
                return
            time.sleep(0.5)
        raise Wrong(f'libvirtd did not start: {read(f"{WORK}/libvirtd.log")}')

    def end(self):
        """Stops it."""
        self.daemon.terminate()
        self.daemon.wait()


def domain_gone(name):
    """Has it ended?"""
    return name not in must('virsh', '-q', 'list', '--name').split()


def end(process):
    """Whatever still runs of a command."""
    if isinstance(process, Run) and not process.ended:
        kill(process.process.pid)
        for child in process.children():
            kill(child)


def up(console, start, again, pattern):
    """Starts a guest, and once more if it hangs before it says a word, as one in a
    hundred does whose processor is emulated twice. Returns the match."""
    for last in (False, True):
        console.forget()
        start()
        try:
            return console.wait_for(pattern)
        except TimeoutError:
            if last or console.output:
                raise
            say('a guest did not come up, once more')
            again()
    return None

