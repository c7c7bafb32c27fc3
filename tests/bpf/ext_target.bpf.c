// What other programs replace and trace: a program, and a global function in it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int offset = 1;

__attribute__((noinline)) int answer(struct __sk_buff *skb)
{
	volatile int value = 40 + offset;

	return value;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	return answer(skb);
}

char LICENSE[] SEC("license") = "GPL";
