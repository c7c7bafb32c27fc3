/* Programs for USDT probes, with and without a target. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("usdt")
int anywhere(void *ctx)
{
	return 0;
}

SEC("usdt/libc.so.6:libc:setjmp")
int somewhere(void *ctx)
{
	return bpf_get_current_pid_tgid() & 1;
}

char _license[] SEC("license") = "GPL";
