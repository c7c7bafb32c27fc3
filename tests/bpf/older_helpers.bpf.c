/* Reads kernel memory by the helper that came with v5.5. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 seen;

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), ctx);
	seen += word != 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
