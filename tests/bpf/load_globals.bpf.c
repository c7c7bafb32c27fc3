/* Global data in every kind of section, read and written by one program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
};

const volatile __u32 limit = 10;
const volatile char greeting[8] = "hello";
const volatile struct point origin = {3, -4};
const volatile __u64 tuned SEC(".rodata.tuning") = 77;

__u64 counter;
struct point grid[4];
__u64 start = 1000;
__s16 small = -2;
__u64 hot SEC(".data.hot") = 5;
struct point spot SEC(".data.hot") = {1, 2};
__u64 cold SEC(".bss.cold");
__hidden __u64 secret SEC(".data.secret") = 9;
static volatile __u64 internal SEC(".data.internal") = 11;
static volatile __u64 file_local = 13;
__weak __u64 maybe = 17;

SEC("tc")
int touch(struct __sk_buff *skb)
{
	__u32 i = skb->len & 3;

	counter += limit;
	grid[i].x += origin.x;
	grid[i].y += greeting[1];
	start += tuned;
	small -= 1;
	hot += spot.x;
	spot.y += 1;
	cold += secret;
	secret += 1;
	internal += 1;
	file_local += internal;
	maybe += 1;
	return counter + file_local;
}

char LICENSE[] SEC("license") = "GPL";
