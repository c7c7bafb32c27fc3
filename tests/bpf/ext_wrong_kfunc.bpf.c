// Refused: see tests/live/test_externs.py.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_rcu_read_lock(int number) __ksym;

SEC("syscall")
int refused(void *ctx)
{
	bpf_rcu_read_lock(1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
