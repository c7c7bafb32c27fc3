// SPDX-License-Identifier: GPL-2.0
/* Enums: unsigned, negative, small, with two names of one value, anonymous, as keys. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

enum plain {
	PLAIN_ZERO,
	PLAIN_ONE,
	PLAIN_UNO = PLAIN_ONE,
	PLAIN_FLAG = 1U << 31,
};

enum negative {
	NEGATIVE_ONE = -1,
	NEGATIVE_ZERO,
	NEGATIVE_MANY = -1000,
};

enum __attribute__((packed)) tiny {
	TINY_A,
	TINY_B = 200,
};

enum __attribute__((packed)) tiny_negative {
	TINY_MINUS = -5,
	TINY_PLUS = 100,
};

enum __attribute__((packed)) small {
	SMALL_A = 1000,
};

typedef enum {
	KIND_FILE = 1,
	KIND_SOCKET,
} kind_t;

struct enums {
	enum plain plain;
	enum negative negative;
	enum tiny tiny;
	enum tiny_negative tiny_negative;
	enum small small;
	kind_t kind;
	enum {
		INNER_OFF,
		INNER_ON,
	} inner;
	enum negative pair[2];
	enum tiny many[3];
	const enum plain constant;
	volatile kind_t changing;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, enum negative);
	__type(value, struct enums);
} by_negative SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, enum tiny);
	__type(value, kind_t);
} by_tiny SEC(".maps");

enum negative last = NEGATIVE_MANY;
enum {
	STATE_IDLE,
	STATE_BUSY,
} state;
enum plain history[2];

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	enum tiny key = TINY_B;
	kind_t *kind = bpf_map_lookup_elem(&by_tiny, &key);

	state = STATE_BUSY;
	last = NEGATIVE_ONE;
	return kind ? *kind : 0;
}

char LICENSE[] SEC("license") = "GPL";
