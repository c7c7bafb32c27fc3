// Settings of every type, from the kernel's configuration or from the kconfig text of a test.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

extern bool CONFIG_BPF_SYSCALL __kconfig;
extern enum libbpf_tristate CONFIG_TEST_TRI __kconfig __weak;
extern char CONFIG_TEST_LETTER __kconfig __weak;
extern unsigned char CONFIG_TEST_BYTE __kconfig __weak;
extern short CONFIG_TEST_SHORT __kconfig __weak;
extern int CONFIG_TEST_INT __kconfig __weak;
extern unsigned int CONFIG_HZ __kconfig;
extern unsigned long CONFIG_TEST_LONG __kconfig __weak;
extern long CONFIG_TEST_NEGATIVE __kconfig __weak;
extern char CONFIG_TEST_TEXT[8] __kconfig __weak;
extern bool CONFIG_TEST_ABSENT __kconfig __weak;

struct seen {
	long negative;
	unsigned long many;
	int number;
	unsigned int hz;
	int tri;
	short half;
	unsigned char byte;
	char letter;
	bool syscall;
	bool absent;
	char text[8];
};

struct seen seen = {};

SEC("raw_tp/sys_enter")
int read_settings(void *ctx)
{
	seen.negative = CONFIG_TEST_NEGATIVE;
	seen.many = CONFIG_TEST_LONG;
	seen.number = CONFIG_TEST_INT;
	seen.hz = CONFIG_HZ;
	seen.tri = CONFIG_TEST_TRI;
	seen.half = CONFIG_TEST_SHORT;
	seen.byte = CONFIG_TEST_BYTE;
	seen.letter = CONFIG_TEST_LETTER;
	seen.syscall = CONFIG_BPF_SYSCALL;
	seen.absent = CONFIG_TEST_ABSENT;
	for (int i = 0; i < 8; i++)
		seen.text[i] = CONFIG_TEST_TEXT[i];
	return CONFIG_HZ;
}

char LICENSE[] SEC("license") = "GPL";
