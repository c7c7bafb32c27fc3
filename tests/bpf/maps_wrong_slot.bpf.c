/* A subprogram in a program array. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) int helper(void *ctx)
{
	asm volatile("");
	return 1;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__array(values, int(void *));
} table SEC(".maps") = { .values = { (void *)helper } };

SEC("tc")
int entry(struct __sk_buff *skb)
{
	return helper(skb);
}

char LICENSE[] SEC("license") = "GPL";
