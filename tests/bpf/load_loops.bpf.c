/* Code shapes: loops, a switch, 64-bit constants, string literals, tables of constants. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rule {
	__u32 low, high;
	char label[8];
};

static const struct rule rules[] = {
	{0, 63, "tiny"},
	{64, 511, "small"},
	{512, 1499, "medium"},
	{1500, 65535, "large"},
};

__u64 hits[4];

SEC("tc")
int match(struct __sk_buff *skb)
{
	__u64 hash = 0xcbf29ce484222325ULL;

	for (int i = 0; i < 4; i++) {
		if (skb->len >= rules[i].low && skb->len <= rules[i].high) {
			hits[i] += 1;
			bpf_printk("rule %d of %s", i, "loops");
		}
	}
	for (int i = 0; i < 64; i++)
		hash = (hash ^ (skb->len >> (i & 7))) * 0x100000001b3ULL;
	switch (skb->protocol) {
	case 8:
		return 1;
	case 0x86dd:
		return 2;
	case 0x608:
		return 3;
	case 0x81:
		return 4;
	}
	return hash;
}

char LICENSE[] SEC("license") = "GPL";
