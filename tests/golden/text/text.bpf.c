// SPDX-License-Identifier: GPL-2.0
/* Arrays of bytes: text is char, bytes are unsigned char, signed char are numbers. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct texts {
	char comm[16];
	char lines[4][32];
	unsigned char mac[6];
	__u8 addresses[2][16];
	signed char offsets[3];
	char one[1];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, char[16]);
	__type(value, struct texts);
} by_comm SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16);
	__type(key, unsigned char[6]);
	__type(value, char[8]);
} by_mac SEC(".maps");

const volatile char only_comm[16] = "";
const volatile char greeting[] = "hello";
char last[16];
unsigned char key[4] = {1, 2, 3, 4};

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	bpf_get_current_comm(last, sizeof(last));
	if (only_comm[0] && only_comm[0] != last[0])
		return 0;
	return bpf_map_lookup_elem(&by_comm, last) != 0;
}

char LICENSE[] SEC("license") = "GPL";
