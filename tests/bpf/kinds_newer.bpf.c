/* Kinds of BTF that came after v5.10: floats, declaration tags, type tags. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __tag(text) __attribute__((btf_decl_tag(text)))
#define __user_tag __attribute__((btf_type_tag("user")))

struct sample {
	int plain __tag("of a member");
	double number;
	int __user_tag *pointer;
} __tag("of a struct");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample);
} samples SEC(".maps");

__u64 runs __tag("of a variable");
double unused_number = 1.5;

__noinline int next(int value __tag("of an argument"))
{
	return value + 1;
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	struct sample *found;
	__u32 key = 0;

	found = bpf_map_lookup_elem(&samples, &key);
	if (found)
		found->plain = next(found->plain);
	runs += 1;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
