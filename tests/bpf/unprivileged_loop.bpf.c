/* A bounded loop: since 5.3 the verifier follows it, but not for who lacks CAP_BPF. */
#include "bad.h"

SEC("socket")
int bad(struct __sk_buff *skb)
{
	__u32 turn, sum = 0;

	for (turn = 0; turn < 8; turn++) { /* here */
		asm volatile("" : "+r"(sum), "+r"(turn)); /* keep it a loop */
		sum += skb->len;
	}
	return sum;
}
