// A program that throws, and the callback that gives its return value then.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

int limit = 1, thrown;

__attribute__((noinline)) int double_of(int number)
{
	return 2 * number;
}

__attribute__((noinline)) int on_exception(__u64 cookie)
{
	thrown++;
	return double_of(cookie);
}

__attribute__((noinline)) int check(int number)
{
	if (number > limit)
		bpf_throw(number);
	return number;
}

SEC("tc")
__attribute__((btf_decl_tag("exception_callback:on_exception")))
int throwing(struct __sk_buff *skb)
{
	return check(skb->len);
}

char LICENSE[] SEC("license") = "GPL";
