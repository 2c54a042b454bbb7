# SPDX-License-Identifier: GPL-2.0
#
# make modules          the kernel module, for the running kernel (KDIR=... for another)
# make userspace        library, tool and man pages, into $(BUILD)
# make test-programs    what the tests run inside the emulated machine, into $(BUILD)
# make install          module, tool, library, header, udev rule, units, man pages
# make demo             the main job, in the emulated machine
# make check            all tests, in the emulated machine, on every kernel
#                       (KERNEL=6.12 for one, TESTS=name for some)
# make bench            durations side by side with what people use today (BENCH=name
#                       for another comparison, see scripts/bench)
# make clean

KDIR ?= /lib/modules/$(shell uname -r)/build
BUILD ?= build/host
export BUILD

all: modules userspace

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

userspace:
	$(MAKE) -C userspace BUILD=$(abspath $(BUILD))

test-programs: userspace
	$(MAKE) -C tests BUILD=$(abspath $(BUILD))

modules_install:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install

install: all
	$(MAKE) modules_install
	$(MAKE) -C userspace BUILD=$(abspath $(BUILD)) install

demo:
	scripts/demo

check:
	scripts/check $(addprefix --kernel ,$(KERNEL)) $(TESTS)

BENCH ?= vfs

bench:
	scripts/bench $(BENCH)

clean:
	rm -rf build
	-$(MAKE) -C $(KDIR) M=$(CURDIR) clean

.PHONY: all modules userspace test-programs modules_install install demo check bench clean
