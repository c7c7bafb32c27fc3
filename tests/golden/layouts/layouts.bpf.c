// SPDX-License-Identifier: GPL-2.0
/* Layouts: padding, packed, aligned, arrays of all lengths; qualifiers; pointers of all sorts. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define __tag __attribute__((btf_type_tag("bpfgen")))

typedef __u32 id_t;
typedef id_t user_id_t;
typedef const volatile user_id_t fixed_id_t;
typedef struct {
	user_id_t user;
	fixed_id_t fixed;
} ids_t;
typedef ids_t ids_alias_t;
typedef __u8 mac_t[6];
typedef int (*callback_t)(void *, ids_t *);

struct padded {
	__u8 first;
	__u64 second; /* 7 bytes before it */
	__u8 third;
	__u16 fourth; /* one before it, four behind it */
};

struct packed {
	__u8 first;
	__u64 second;
	struct padded inside;
	__u16 last;
} __attribute__((packed));

struct aligned16 {
	__u8 byte;
} __attribute__((aligned(16)));

struct aligned64 {
	__u64 word;
	struct aligned16 inner[2];
} __attribute__((aligned(64)));

/* 64-bit members on a boundary of 32 bits, as an ABI of i386 has it. */
struct __attribute__((packed, aligned(4))) by_four {
	__u32 a;
	__u64 b;
	__s64 c;
};

struct empty {
};

struct arrays {
	__u32 none[0];
	__u32 one[1];
	__u16 many[1500];
	__s16 grid[2][3][4];
	_Bool flags[5];
	double reals[2];
	struct {
		__u32 x;
		char tag[3];
	} points[2][2];
	mac_t macs[2];
	signed char signs[3];
	char letters[2][4];
	struct empty empties[3];
	struct by_four fours[2];
};

struct flexible {
	__u16 length;
	struct padded tail[];
};

struct pointers {
	struct pointers *next;
	struct pointers **all;
	struct never_defined *undefined;
	callback_t callback;
	const char *const *names;
	void *restrict bare;
	int __tag *tagged;
	int (*table[3])(int);
};

struct qualified {
	const __u32 constant;
	volatile __u64 changing;
	const volatile __s16 both;
	ids_alias_t ids;
	const struct padded padded;
	const mac_t mac;
	unsigned __int128 wide;
	__int128 signed_wide;
	char letter;
	signed char sign;
	unsigned char byte;
	float real;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct packed);
	__type(value, struct arrays);
} arrays SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct by_four);
	__type(value, struct qualified);
} qualified SEC(".maps");

struct aligned64 aligned;
struct pointers pointers;
struct flexible *flexible_pointer;
struct flexible flexible;
struct arrays all;
ids_alias_t ids = {1, 2};
mac_t macs[2];
callback_t callback;
char text[3][8];

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	return ids.user + aligned.word;
}

char LICENSE[] SEC("license") = "GPL";
