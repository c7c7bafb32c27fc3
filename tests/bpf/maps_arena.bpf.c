/* An arena with global variables in it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAP_TYPE_ARENA 33 /* BPF_MAP_TYPE_ARENA, newer than some headers */
#define __arena_global SEC(".addr_space.1")

struct {
	__uint(type, MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16);
} arena SEC(".maps");

__u64 counter __arena_global = 40;
__u64 unset __arena_global = 0;
__u32 table[4] __arena_global = { 1, 2, 3, 4 };

/* addr_space_cast(0, 1): r1 becomes a pointer that the verifier lets a program follow. */
#define CAST_TO_KERNEL(ptr) \
	({ \
		register void *__p asm("r1") = (void *)(ptr); \
		asm volatile(".byte 0xbf, 0x11, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00" : "+r"(__p)); \
		__p; \
	})

SEC("syscall")
int count(void *ctx)
{
	__u64 *c = CAST_TO_KERNEL(&counter);
	__u32 *t;

	*c += 2;
	t = CAST_TO_KERNEL(&table[2]);
	*t += 10;
	/* The verifier wants to see the arena itself used. */
	asm volatile("" : : "r"(&arena));
	return *t;
}

char LICENSE[] SEC("license") = "GPL";
