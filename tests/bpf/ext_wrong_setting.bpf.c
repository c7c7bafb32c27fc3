// Refused: see tests/live/test_externs.py.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

extern bool CONFIG_HZ __kconfig;

SEC("raw_tp/sys_enter")
int refused(void *ctx)
{
	return CONFIG_HZ;
}

char LICENSE[] SEC("license") = "GPL";
