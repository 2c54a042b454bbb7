#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Booted with intremap=off: a guest could forge interrupts."""
import sys

sys.dont_write_bytecode = True
from refused import refused
from e2e import main  # pylint: disable=wrong-import-order


main(lambda tap: refused(tap, 'no-intremap', ['not remapped', 'forge'], 'not remapped'))
