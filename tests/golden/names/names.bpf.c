// SPDX-License-Identifier: GPL-2.0
/* C names that mean something else in Python, and those that two things want. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

enum status {
	name, /* an attribute of enum members */
	None,
	_sunder_,
	__mangled,
	to_bytes,
	fine,
};

/* CapWords makes both of them Flow; the one that BTF has first keeps it. */
struct flow {
	__u32 from, from_, class, None;
	__u32 SIZE, LAYOUT;
	__u32 __private, __dunder__, _ok;
	__u64 bytes;
	unsigned char raw[2];
	__u8 tuple[2];
	__u16 pair[2];
	char str[4];
	char text[4];
	_Bool bool;
	_Bool other;
	enum status Status;
	struct {
		__u32 u32;
		__u16 CharArray;
		char more[2];
	} Struct;
};

struct _Flow {
	__u32 a;
};

/* The generated module's own names. */
struct names {
	__u32 x;
};
struct open_names {
	__u32 x;
};
struct names_maps {
	__u32 x;
};

/* Names that it imports; the import gives way. */
struct map {
	__u32 x;
};
struct hash_map {
	struct map map;
};
struct global {
	__u32 x;
};
struct none {
	__u32 x;
};
struct _1st {
	__u32 x;
};
struct __ {
	__u32 x;
};

/* Names that differ only in case, and one that the views of variables want. */
struct case_only {
	__u32 a, A;
	union {
		__u32 print, self;
		__u8 property, object, field, overload, TYPE_CHECKING, UNIONS;
	};
	__u32 lambda : 3, Part : 5, View : 8;
};
struct Case_Only {
	__u32 Items[2];
	char self[4];
};
struct case_only_view {
	__u32 x;
};
struct names_data_parts {
	__u32 x;
};

#define KEYED(key_type, value_type)                                                                \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, 4);                                                            \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	}

KEYED(struct flow, struct _Flow) class SEC(".maps");
KEYED(struct names, struct open_names) HashMap SEC(".maps");
KEYED(struct names_maps, struct map) int_ SEC(".maps");
KEYED(struct hash_map, struct global) MEMBERS SEC(".maps");
KEYED(struct none, struct _1st) __hidden_map SEC(".maps");
KEYED(struct __, unsigned char[3]) bytes SEC(".maps");

__u64 pass = 1;
__u64 u64 = 2;
__u64 close = 3;
__u64 Global = 4;
__u32 array[2] = {5, 6};
__u32 after[2] = {7, 8};
__u64 __odd = 9;
struct case_only at = {1};
struct Case_Only resize = {{1}};
struct case_only_view property = {1};
struct names_data_parts Parts = {1};

SEC("tp/syscalls/sys_enter_getpgid")
int lambda(void *ctx)
{
	static volatile int counter; /* `lambda.counter` in BTF: left out */

	return counter++;
}

SEC("tp/syscalls/sys_enter_getpgrp")
int TracepointProgram(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
