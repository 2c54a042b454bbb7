#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Before udev, and so before any driver of the host's: see module-setup.sh.
modprobe devirt || warn "devirt: not loaded, nothing is reserved"
modprobe vfio-pci || true
