// Refused: see tests/live/test_externs.py.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int LINUX_FROM_THE_FUTURE __kconfig;

SEC("raw_tp/sys_enter")
int refused(void *ctx)
{
	return LINUX_FROM_THE_FUTURE;
}

char LICENSE[] SEC("license") = "GPL";
