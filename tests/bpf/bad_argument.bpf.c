/* A helper given a number where it wants an address. */
#include "bad.h"

SEC("tc")
int bad(struct __sk_buff *skb)
{
	bpf_skb_load_bytes(skb, 0, (void *)(long)skb->mark, 4); /* here */
	return 0;
}
