#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Booted with intel_iommu=off: no function can be leased."""
import sys

sys.dont_write_bytecode = True
from refused import refused
from e2e import main  # pylint: disable=wrong-import-order


main(lambda tap: refused(tap, 'no-iommu', ['no IOMMU group', 'intel_iommu=on'],
                         'no device is in an IOMMU group'))
