/* A verdict that the kind of program does not have. */
#include "bad.h"

SEC("cgroup_skb/ingress")
int bad(struct __sk_buff *skb)
{
	return 17; /* here */
}
