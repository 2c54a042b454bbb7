#pragma once
#include <linux/devirt.h>
static inline u64 devirt_guard_intrusions(unsigned int cpu) { return 0; }
static inline u64 devirt_guard_unnamed(unsigned int cpu) { return 0; }
static inline bool devirt_guard_intruder(unsigned int cpu, unsigned int i, struct devirt_intruder *out) { return false; }
