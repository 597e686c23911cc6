// The floor of a fan-out: accepts connections, and on each line of stdin ("<count> <joint>") writes the same bytes <count> times to every connection, one
// write() per connection and time, or with <joint> 1 all of them with one write() per connection. Answers with the microseconds that took, and those of them that the processor worked. Its port is the first line of stdout.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long worked(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

int main(int argc, char **argv) {
  int wanted = atoi(argv[1]), size = atoi(argv[2]);
  int *peers = calloc(wanted, sizeof(int));
  char *frame = malloc(size * 64);
  memset(frame, 'x', size * 64);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 1024) != 0) return 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (int n = 0; n < wanted; n += 1) {
    int on = 1;
    if ((peers[n] = accept(listener, NULL, NULL)) < 0) return 1;
    setsockopt(peers[n], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  puts("ready");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    struct timespec from, to;
    long before = worked();
    clock_gettime(CLOCK_MONOTONIC, &from);
    int count = 1, joint = 0;
    sscanf(line, "%d %d", &count, &joint);
    int bytes = joint ? size * count : size;
    for (int times = joint ? 1 : count; times > 0; times -= 1)
      for (int n = 0; n < wanted; n += 1)
        if (write(peers[n], frame, bytes) != bytes) return 1;
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%ld %ld\n", (to.tv_sec - from.tv_sec) * 1000000L + (to.tv_nsec - from.tv_nsec) / 1000L, worked() - before);
    fflush(stdout);
  }
  return 0;
}
