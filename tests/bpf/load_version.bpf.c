// A version of the kernel, which kprobes had to name before Linux 5.0.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int nothing(struct __sk_buff *skb)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
__u32 VERSION SEC("version") = 0x60102;
