/* Sections of globals that can be given another size: the last variable is an array. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct slot {
	__u32 hits;
	__u32 misses;
};

const volatile int slots = 1;
int sum;
struct slot table[1] SEC(".data.table");
__u64 plain SEC(".data.plain") = 1;

SEC("tc")
int fill(struct __sk_buff *skb)
{
	__u32 i;

	sum = plain;
	for (i = 0; i < 64; i++) {
		struct slot *slot;

		if (i >= slots)
			break;
		slot = &table[i & 63];
		asm volatile("" : "+r"(slot));
		sum += 1;
	}
	return sum;
}

SEC("tc")
int first(struct __sk_buff *skb)
{
	return table[0].hits++;
}

char LICENSE[] SEC("license") = "GPL";
