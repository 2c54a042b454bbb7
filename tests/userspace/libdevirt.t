#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The library, linked as a VMM would.
exec "${BUILD:-$(dirname "$0")/../../build/host}/test-libdevirt"
