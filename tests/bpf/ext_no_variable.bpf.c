// Refused: see tests/live/test_externs.py.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int no_such_variable __ksym;

SEC("raw_tp/sys_enter")
int refused(void *ctx)
{
	return (unsigned long)&no_such_variable >> 8;
}

char LICENSE[] SEC("license") = "GPL";
