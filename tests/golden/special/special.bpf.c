// SPDX-License-Identifier: GPL-2.0
/* What the kernel manages inside of values: locks, timers, kptrs, lists, trees, counters. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* Of kernels newer than the headers that this is compiled with. */
#define OPAQUE(name, words)                                                                        \
	struct name {                                                                              \
		__u64 opaque[words];                                                               \
	} __attribute__((aligned(8)))

OPAQUE(bpf_list_head, 2);
OPAQUE(bpf_list_node, 3);
OPAQUE(bpf_rb_root, 2);
OPAQUE(bpf_rb_node, 4);
OPAQUE(bpf_wq, 2);
struct bpf_refcount {
	__u32 opaque[1];
} __attribute__((aligned(4)));

#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __other __attribute__((btf_type_tag("other")))

struct task_struct;

struct inner {
	__u8 kind;
	struct task_struct __kptr *task;
};

struct managed {
	struct bpf_spin_lock lock;
	__u32 count;
	struct bpf_timer timer;
	struct bpf_wq work;
	struct bpf_list_head list;
	struct bpf_list_node node;
	struct bpf_rb_root root;
	struct bpf_rb_node leaf;
	struct bpf_refcount refs;
	__u32 after;
	struct bpf_dynptr dynptr;
	struct task_struct __kptr *task;
	struct task_struct __kptr_untrusted *untrusted;
	__u64 __percpu_kptr *per_cpu;
	struct task_struct __kptr *tasks[4];
	struct bpf_rb_root roots[2];
	struct inner inner[2];
	__u64 __other *plain; /* a tag that means nothing to the kernel */
	__u64 last;
};

struct only_lock {
	struct bpf_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct managed);
} managed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct only_lock);
} only_lock SEC(".maps");

struct bpf_spin_lock global_lock SEC(".data.private");
struct bpf_rb_root global_roots[2] SEC(".data.private");
__u64 beside SEC(".data.private");

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	beside++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
