// SPDX-License-Identifier: GPL-2.0
// clang: -target bpfeb
/* A big-endian object: cannot be loaded here, but its values can be read and written. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

enum kind {
	KIND_A = 1,
	KIND_B = 0x1234,
};

struct inner {
	__u16 port;
	__u8 flags;
};

struct record {
	__u64 at;
	__s32 delta;
	enum kind kind;
	__u16 ports[2];
	struct inner inner;
	char comm[8];
	void *where;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct record);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, enum kind);
} kinds SEC(".maps");

/* Bits are counted from the highest. */
struct header {
	union {
		struct {
			__u8 version : 4;
			__u8 length : 4;
			__s16 delta : 9;
		};
		__u32 word;
	};
	__u32 after : 12;
};

struct header header = {.version = 4, .length = 5, .delta = -2, .after = 0xabc};

const volatile __u32 limit = 1;
const volatile __u8 byte = 2;
struct record last;
__u64 counts[2] = {3, 4};
char name[4] = "abc";

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	counts[0] += limit + byte + last.at + name[0];
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
