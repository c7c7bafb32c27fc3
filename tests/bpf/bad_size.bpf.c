/* A length that can be negative. */
#include "bad.h"

SEC("tc")
int bad(struct __sk_buff *skb)
{
	char text[16] = {};
	int length = skb->mark;

	asm volatile("" : "+r"(length));
	if (length > 16)
		return 0;
	bpf_skb_load_bytes(skb, 0, text, length); /* here */
	return text[0];
}
