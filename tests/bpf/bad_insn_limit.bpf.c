/* A loop that ends, after more instructions than the verifier is willing to follow. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 1000000; i++) {
		sum ^= i;
		asm volatile("" : "+r"(sum));
	}
	return sum;
}
