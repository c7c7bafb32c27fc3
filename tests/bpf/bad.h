/* For bad_*.bpf.c: what the verifier refuses. One program each, called bad; the line it fails at has a mark. */
#ifndef BAD_H
#define BAD_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ARRAY(name, value_type) \
	struct { \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, 1); \
		__type(key, __u32); \
		__type(value, value_type); \
	} name SEC(".maps")

#define RING(name) \
	struct { \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, 4096); \
	} name SEC(".maps")

char LICENSE[] SEC("license") = "GPL";

#endif
