// Refused: see tests/live/test_externs.py.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_no_such_kfunc(int number) __ksym __weak;

SEC("syscall")
int refused(void *ctx)
{
	return bpf_no_such_kfunc(1);
}

char LICENSE[] SEC("license") = "GPL";
