/* Names that the kernel cuts to 15 bytes: two of them to the same. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct table a_name_that_is_long_1 SEC(".maps");
struct table a_name_that_is_long_2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, struct table);
} holder_of_long_names SEC(".maps") = {
	.values = { &a_name_that_is_long_1, &a_name_that_is_long_2 },
};

SEC("tc")
int a_program_with_a_long_name(struct __sk_buff *skb)
{
	__u32 key = 0, *first, *second;

	first = bpf_map_lookup_elem(&a_name_that_is_long_1, &key);
	second = bpf_map_lookup_elem(&a_name_that_is_long_2, &key);
	return first && second ? *first * 10 + *second : -1;
}

char LICENSE[] SEC("license") = "GPL";
