// Refused: see tests/live/test_externs.py.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int CONFIG_NO_SUCH_SETTING __kconfig;

SEC("raw_tp/sys_enter")
int refused(void *ctx)
{
	return CONFIG_NO_SUCH_SETTING;
}

char LICENSE[] SEC("license") = "GPL";
