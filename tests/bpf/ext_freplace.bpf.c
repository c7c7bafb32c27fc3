// A function in place of answer() of ext_target.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("freplace/answer")
int new_answer(struct __sk_buff *skb)
{
	return 7;
}

char LICENSE[] SEC("license") = "GPL";
