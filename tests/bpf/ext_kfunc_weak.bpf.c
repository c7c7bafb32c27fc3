// Weak functions: a guard keeps the call of one that no kernel has from being reached.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern int bpf_no_such_kfunc(int number) __ksym __weak;
// The kernel's takes no argument: incompatible, hence absent.
extern void bpf_preempt_disable(int number, int other) __ksym __weak;

int which;

SEC("syscall")
int call_weak(void *ctx)
{
	which = 1;
	if (bpf_no_such_kfunc)
		which = bpf_no_such_kfunc(1);
	if (bpf_preempt_disable)
		bpf_preempt_disable(1, 2);
	if (bpf_rcu_read_lock) {
		bpf_rcu_read_lock();
		which |= 2;
		bpf_rcu_read_unlock();
	}
	return which;
}

char LICENSE[] SEC("license") = "GPL";
