// SPDX-License-Identifier: GPL-2.0
/* Structs in structs, arrays in arrays, structs without a name of their own, odd layouts. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct point {
	__s32 x, y;
};

typedef struct {
	__u16 low;
	__u64 high;
} range_t;

struct outer {
	struct point from_point;
	struct point corners[4];
	range_t range;
	struct {
		__u8 kind;
		struct {
			__u32 depth;
		} deep;
	} inner;
	struct {
		__u64 at;
	} history[2];
	__u32 grid[2][3];
	enum {
		MODE_OFF,
		MODE_ON,
	} mode;
};

struct packed {
	__u8 tag;
	__u64 value;
	__u16 tail;
} __attribute__((packed));

struct aligned {
	__u8 a;
	__u32 b __attribute__((aligned(16)));
};

struct nothing {
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct packed);
	__type(value, struct outer);
} outers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct {
		struct aligned aligned;
		struct nothing nothing;
		__u8 last;
	});
} unnamed SEC(".maps");

struct outer state;
struct point path[3] = {{1, 2}, {3, 4}};
const volatile range_t limits = {1, 2};
__u64 cube[2][2][2];

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	struct packed key = {.tag = 1};
	struct outer *found = bpf_map_lookup_elem(&outers, &key);

	if (found)
		state.grid[1][2] += found->inner.deep.depth + path[0].x;
	cube[1][1][1]++;
	return limits.low;
}

char LICENSE[] SEC("license") = "GPL";
