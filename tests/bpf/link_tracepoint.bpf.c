// Counts one process's getpgid(2) calls by a classic tracepoint.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 only_pid = 0;
__u64 calls = 0;

SEC("tracepoint/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 == only_pid)
		__sync_fetch_and_add(&calls, 1);
	return 0;
}

SEC("tp")
int no_target(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
