/* An arena without globals. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, 33 /* BPF_MAP_TYPE_ARENA */);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
} arena SEC(".maps");

SEC("syscall")
int nothing(void *ctx)
{
	asm volatile("" : : "r"(&arena));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
