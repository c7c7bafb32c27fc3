/* A variable for an arena, and no arena. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 lost SEC(".addr_space.1") = 1;

SEC("syscall")
int nothing(void *ctx)
{
	return lost;
}

char LICENSE[] SEC("license") = "GPL";
