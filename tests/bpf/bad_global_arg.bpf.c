/* A global function is verified by itself: its pointer may be NULL, whatever is passed. */
#include "bad.h"

__attribute__((noinline)) int twice(int *number)
{
	return *number * 2; /* here */
}

SEC("tc")
int bad(struct __sk_buff *skb)
{
	int number = skb->len;

	return twice(&number);
}
