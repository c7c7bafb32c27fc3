/*
 * peak COMMAND [ARGUMENT ...]: run it, its output thrown away, and print the KiB of its largest
 * resident set.
 *
 * Linux keeps the largest resident set over exec, so a process begins with that of whoever started
 * it. A large parent's would hide the command's own; this one's is about 1 MiB.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND [ARGUMENT ...]\n", argv[0]);
		return 2;
	}
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return 1;
	}
	if (pid == 0) {
		int nowhere = open("/dev/null", O_WRONLY);

		if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0) {
			perror("/dev/null");
			_exit(126);
		}
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) < 0) {
		perror("wait4");
		return 1;
	}
	if (status != 0) {
		fprintf(stderr, "%s: wait status %#x\n", argv[1], status);
		return 1;
	}
	printf("%ld\n", usage.ru_maxrss);
	return 0;
}
