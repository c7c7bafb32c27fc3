// SPDX-License-Identifier: GPL-2.0
/* Every scalar that BTF can tell, as fields and as globals, behind typedefs and qualifiers. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

typedef __u32 user_id;
typedef const volatile user_id fixed_user_id;

enum level {
	LEVEL_LOW = 1,
	LEVEL_HIGH = 100,
	LEVEL_TOP = LEVEL_HIGH,
};

enum TCP_STATE {
	ESTABLISHED = 1,
	LISTEN = 10,
};

typedef enum {
	COLOR_RED,
	COLOR_GREEN,
} color_t;

enum forward; /* declared only: an integer */

struct scalars {
	__s8 s8;
	__u8 u8;
	__s16 s16;
	__u16 u16;
	__s32 s32;
	__u32 u32;
	__s64 s64;
	__u64 u64;
	__int128 s128;
	unsigned __int128 u128;
	char letter;
	_Bool flag;
	float real32;
	double real64;
	enum level level;
	enum TCP_STATE state;
	color_t color;
	fixed_user_id owner;
	void *pointer;
	int (*function)(struct scalars *);
	const char *name;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, enum level);
	__type(value, struct scalars);
} by_level SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, fixed_user_id);
	__type(value, _Bool);
} allowed SEC(".maps");

const volatile _Bool enabled = 1;
const volatile enum level level = LEVEL_HIGH;
const volatile float ratio = 0.5;
__s64 balance = -1;
color_t color;
unsigned __int128 wide;
struct scalars *address;

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	enum level key = level;
	struct scalars *found = bpf_map_lookup_elem(&by_level, &key);

	if (found && enabled)
		balance += found->s32;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
