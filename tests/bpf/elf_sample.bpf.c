// One of each thing that the ELF reader and the disassembler have to tell apart.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

const volatile int limit = 3;
const volatile int table[4] SEC(".rodata.table") = {1, 2, 3, 4};
int initialised = 5;
__u64 own_section SEC(".data.own") = 7;
__u64 zero;
static volatile __s32 hidden;
extern int weak_extern __weak __ksym;

static __noinline int local_function(int x)
{
	return x * limit + hidden;
}

__noinline __weak unsigned int global_function(unsigned int x)
{
	return x % 3 ? local_function(x) : x / 5;
}

SEC("socket")
int arithmetic(struct __sk_buff *skb)
{
	__u64 a = skb->len, b = skb->mark | 1;
	__u32 c = skb->hash, d = skb->protocol | 1;
	__s64 e = a - b;

	a = a * 3 + (b << 4) - (c >> 2);
	a ^= b & 0x7fffffff;
	b |= a / b;
	c = c / d + (c % d) + (c << (d & 31)) + ((__s32)c >> 3);
	c ^= ~d & 0xff0f;
	e = (e >> 5) - -e;
	a += 0x123456789abcdef0;
	zero = a + b + c + d + e + __builtin_bswap16(c) + __builtin_bswap32(d) + __builtin_bswap64(a);
	return c;
}

SEC("socket")
int jumps(struct __sk_buff *skb)
{
	__s64 a = zero, b = own_section;
	__u64 u = a, v = b;
	__s32 c = skb->mark, d = skb->hash;
	int result = 0;

	for (__u32 i = 0; i < skb->len; i++) {
		if (a > b)
			result += global_function(i);
		if (u > v)
			result += 2;
		if (a < -5)
			result += hidden;
		if (u <= 1000)
			hidden = result;
		if (c >= d)
			hidden += 3;
		if (c == 7 || (c & 0x10))
			hidden -= result;
		if (skb->len != 9)
			initialised = c;
	}
	return result + table[result & 3];
}

SEC("socket")
int memory(struct __sk_buff *skb)
{
	__u32 key = skb->hash;
	__u64 fresh = 1;
	volatile __u8 bytes[3] = {1, 2, 3};
	volatile __u16 halves[2] = {4, 5};
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	if (!count)
		return bpf_map_update_elem(&counts, &key, &fresh, BPF_NOEXIST);
	__sync_fetch_and_add(count, bytes[1] + halves[1]);
	return &weak_extern ? *count : -1;
}

char _license[] SEC("license") = "GPL";
__u32 _version SEC("version") = 0x60000;
