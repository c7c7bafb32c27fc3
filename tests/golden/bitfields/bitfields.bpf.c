// SPDX-License-Identifier: GPL-2.0
/* Bitfields: alone, leading, trailing, adjacent, signed, packed, wider than a byte, of any type. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

enum mode {
	MODE_A,
	MODE_B,
	MODE_C,
};

struct alone {
	__u32 bit : 1;
};

struct leading {
	__u8 a : 3;
	__u8 b : 5;
	__u32 rest;
};

struct trailing {
	__u64 first;
	__s16 low : 5;
	__u16 high : 11;
};

struct wide {
	__u64 big : 40;
	__s64 negative : 24;
	__u64 one : 1;
	__u64 most : 63;
	__u32 full : 32;
};

struct mixed {
	_Bool flag : 1;
	_Bool other : 1;
	enum mode mode : 2;
	__u8 : 4;
	__u16 count : 10;
	__u32 : 0;
	__s32 delta : 17;
	char letter;
	signed char tiny : 2;
};

struct packed {
	__u8 tag;
	__u32 a : 7;
	__u32 b : 13;
	__s64 c : 45;
	__u16 d : 16;
	__u8 e : 1;
} __attribute__((packed));

/* As the kernel's headers do for words in two views. */
struct header {
	union {
		struct {
			__u8 version : 4;
			__u8 length : 4;
			__u16 flags : 9;
		};
		__u32 word;
	};
	__u32 after : 12;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct leading);
	__type(value, struct mixed);
} mixed SEC(".maps");

struct alone alone;
struct trailing trailing;
struct wide wide;
struct packed packed[2];
struct header header;

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	trailing.low = -3;
	return wide.big + header.length;
}

char LICENSE[] SEC("license") = "GPL";
