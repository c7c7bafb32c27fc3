// SPDX-License-Identifier: GPL-2.0
/* Global variables in every kind of section, custom ones included; static ones stay unseen. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct config {
	__u32 low, high;
	char name[8];
};

const volatile struct config config = {.low = 1, .high = 2, .name = "first"};
const volatile int answer = 42;
static const volatile int unseen_constant = 1;
const volatile __u64 limits[3] SEC(".rodata.limits") = {1, 2, 3};

__u64 hits;
__u64 answers;
__u32 per_kind[4];
static __u64 unseen;

struct config current = {.low = 3};
__u16 port = 8080;
__u64 total SEC(".data.stats") = 5;
struct config saved SEC(".data.stats");
__u64 lost SEC(".bss.lost");

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	static const volatile char letters[] = "hits";

	unseen += unseen_constant + letters[0];
	hits++;
	per_kind[config.low & 3] += port;
	answers += answer + limits[1];
	total += current.high + saved.low;
	lost++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
