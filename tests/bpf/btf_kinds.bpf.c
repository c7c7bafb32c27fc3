/* Makes clang write every kind of BTF type into one object. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __decl(text) __attribute__((btf_decl_tag(text)))
#define __tag(text) __attribute__((btf_type_tag(text)))

enum small { SMALL_NONE = -1, SMALL_ONE = 1 };
enum wide { WIDE_TOP = 0xffffffffffffffffULL, WIDE_LOW = 2 };

struct elsewhere;
union elsewhere_too;

typedef int number_t;
typedef int (*callback_t)(const char *text, struct elsewhere *what);

struct inner {
	char text[16];
	signed char signed_text[4];
	unsigned char bytes[4];
};

struct outer {
	struct inner inner __decl("the member");
	union {
		__u32 word;
		float real;
	};
	__u32 low : 3;
	__s32 high : 29;
	volatile number_t number;
	const char *restrict path;
	callback_t callback;
	enum small small;
	enum wide wide;
	struct elsewhere *there;
	union elsewhere_too *there_too;
	int __tag("user") *tagged;
	int grid[2][3];
	_Bool yes;
	double precise;
	struct {
		__u64 a;
		__u8 b;
	} __attribute__((packed)) packed;
	__u8 rest[];
} __decl("the struct");

struct outer *keep __decl("the variable");
static volatile int hidden = 1;
const volatile int constant = 2;
__u64 counters[4] SEC(".data.custom");

__attribute__((noinline)) __decl("the function") int helper(struct outer *o __decl("the argument"))
{
	return o ? hidden + constant : 0;
}

SEC("raw_tp/sys_enter")
int handle(void *ctx)
{
	struct outer *o = keep;

	counters[0] += helper(o);
	return 0;
}

SEC("tp/sched/sched_switch")
int second(void *ctx)
{
	counters[1]++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
