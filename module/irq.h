#pragma once
struct devirt_partition;
static inline void devirt_irq_count(struct devirt_partition *part, unsigned int cpu, u64 *home, u64 *away) { }
static inline bool devirt_irq_is_leased(unsigned int irq) { return false; }
