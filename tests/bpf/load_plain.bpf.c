/* The least that loads: no map, no global, no licence. */
#include <linux/bpf.h>

__attribute__((section("socket"), used)) int only(struct __sk_buff *skb)
{
	return 0;
}
