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

/** DEVIRT_ROUTE_UNKNOWN - nobody can tell which vCPU. */
#define DEVIRT_ROUTE_UNKNOWN	(-1)

/**
 * struct devirt_route - where a guest wants an interrupt
 * @token: the eventfd that KVM takes it from
 * @vector: the caller's
 * @vcpu: output: the vCPU's number, DEVIRT_ROUTE_UNKNOWN is left
 */
struct devirt_route {
	const void *token;
	u32 vector;
	s64 vcpu;
};

void devirt_kvm_vcpus(struct pid *process, devirt_kvm_fn fn, void *arg);
void devirt_kvm_routes(struct pid *process, struct devirt_route *routes, u32 count);

#endif /* _DEVIRT_KVM_H */
