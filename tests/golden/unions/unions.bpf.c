// SPDX-License-Identifier: GPL-2.0
/* Unions: named, anonymous, doubly anonymous, of different sizes, in arrays, empty. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

union number {
	__u64 whole;
	__u32 halves[2];
	__s8 small;
	double real;
	struct {
		__u16 low;
		__u16 high;
	} parts;
	char text[12]; /* the largest, and no multiple of the alignment */
};

/* Two anonymous unions, and a branch of several members. */
struct address {
	__u16 family;
	union {
		__be32 v4;
		__u8 v6[16];
		struct {
			__u32 id;
			union {
				__u32 flags;
				_Bool local;
			};
		};
	};
	union {
		__u16 port;
		__u8 type;
	};
	__u8 last;
};

/* Anonymous all the way down. */
struct deep {
	struct {
		struct {
			__u32 a;
			union {
				struct {
					__u8 b;
					__u8 c;
				};
				union {
					__u16 d;
					enum {
						E_OFF,
						E_ON,
					} e;
				};
			};
		};
		__u64 f;
	};
};

/* More choices than a constructor has signatures for. */
struct choices {
	union {
		__u8 a0;
		__s8 a1;
		__u16 a2;
		__s16 a3;
		__u32 a4;
	};
	union {
		__u8 b0;
		__s8 b1;
		__u16 b2;
		__s16 b3;
		__u32 b4;
	};
};

union nothing {
};

struct holder {
	union nothing nothing;
	union number number;
	union number numbers[2];
	union {
		__u64 : 64;
	};
	__u32 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, union number);
	__type(value, struct address);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct bpf_sock_tuple);
	__type(value, struct bpf_sock_addr);
} sockets SEC(".maps");

union number current;
union number table[3];
struct deep deep;
struct choices choices;
struct holder holder;
const volatile union number start = {.halves = {1, 2}};
union {
	__u32 id;
	char name[8];
} unnamed;

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	current.whole += start.halves[1];
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
