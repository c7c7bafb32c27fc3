/* Stores and loads of a context whose fields are elsewhere in the object. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct __sk_buff___other {
	unsigned int priority;
	unsigned int mark;
	unsigned int cb[5];
	unsigned int len;
	unsigned int no_such_field;
} CORE;

SEC("tc")
int stores(struct __sk_buff___other *skb)
{
	skb->mark = 7;
	skb->priority = skb->len;
	skb->cb[3] = skb->mark;
	if (bpf_core_field_exists(skb->no_such_field))
		skb->no_such_field = 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
