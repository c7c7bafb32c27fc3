/* A weak kernel function that no kernel has, called without asking for it. */
#include "bad.h"

extern int bpf_no_such_kfunc(int argument) __ksym __weak;

SEC("tc")
int bad(struct __sk_buff *skb)
{
	return bpf_no_such_kfunc(1); /* here */
}
