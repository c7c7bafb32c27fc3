/* A program array that the definition fills in. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int third(struct __sk_buff *skb);
int fifth(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} table SEC(".maps") = {
	.values = {
		[2] = (void *)&third,
		[4] = (void *)&fifth,
	},
};

SEC("tc")
int entry(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &table, skb->mark);
	return 100;
}

SEC("tc")
int third(struct __sk_buff *skb)
{
	return 3;
}

SEC("tc")
int fifth(struct __sk_buff *skb)
{
	return 5;
}

char LICENSE[] SEC("license") = "GPL";
