/* execsnoop in C, up to the point where it is attached: then one byte on stdout, and the end. */
#include <unistd.h>
#include "peer.h"
#include "execsnoop.skel.h"

int main(void)
{
	struct execsnoop_bpf *skel = execsnoop_bpf__open_and_load();

	if (!skel)
		fail("open and load");
	if (execsnoop_bpf__attach(skel))
		fail("attach");
	if (write(1, "x", 1) != 1)
		fail("write");
	execsnoop_bpf__destroy(skel);
	return 0;
}
