/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_KVM_H
#define _DEVIRT_KVM_H

#include <linux/types.h>

struct kvm_vcpu;
struct pid;

/**
 * typedef devirt_kvm_fn - called for a vCPU; may not sleep
 * @vcpu: the vCPU, which stays until this returns
 * @arg: as given to devirt_kvm_vcpus()
 */
typedef void (*devirt_kvm_fn)(struct kvm_vcpu *vcpu, void *arg);

void devirt_kvm_vcpus(struct pid *process, devirt_kvm_fn fn, void *arg);

#endif /* _DEVIRT_KVM_H */
