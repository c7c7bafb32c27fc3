// Refused: see tests/live/test_externs.py.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const long *bpf_prog_active __ksym;

SEC("raw_tp/sys_enter")
int refused(void *ctx)
{
	return (unsigned long)&bpf_prog_active >> 8;
}

char LICENSE[] SEC("license") = "GPL";
