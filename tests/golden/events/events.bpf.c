// SPDX-License-Identifier: GPL-2.0
// bpfgen: --name tracer --event "asked=struct asked_event" --event both=asked_event
/* Where the type of a ring buffer's records comes from. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct tagged_event {
	__u32 pid;
	char comm[16];
};

struct asked_event {
	__u64 at;
};

typedef struct {
	__u8 bytes[4];
} typedef_event;

/* Types that only local variables use do not reach BTF; these keep them. */
struct tagged_event *unused_tagged __attribute__((unused));
struct asked_event *unused_asked __attribute__((unused));
typedef_event *unused_typedef __attribute__((unused));

#define RING()                                                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                \
		__uint(max_entries, 4096);                                                         \
	}

RING() tagged SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=tagged_event")));
RING() asked SEC(".maps");
RING() both SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=tagged_event")));
RING() by_typedef SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=typedef_event")));
RING() number SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=__u32")));
RING() unknown SEC(".maps");

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	struct tagged_event *event = bpf_ringbuf_reserve(&tagged, sizeof(*event), 0);

	if (!event)
		return 0;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
