/* Much that is good before a packet is read without looking where it ends. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 500; i++) {
		sum ^= i;
		asm volatile("" : "+r"(sum));
	}
	return sum + *(volatile __u8 *)((long)ctx->data + 12); /* here */
}
