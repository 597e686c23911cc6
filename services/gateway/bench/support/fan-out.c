// The floor of a fan-out: accepts connections, and on each line of stdin ("<count>") writes the same bytes <count> times to every connection, one
// write() per connection and time. Answers with the microseconds that took. Its port is the first line of stdout.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int wanted = atoi(argv[1]), size = atoi(argv[2]);
  int *peers = calloc(wanted, sizeof(int));
  char *frame = malloc(size);
  memset(frame, 'x', size);
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
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int count = atoi(line); count > 0; count -= 1)
      for (int n = 0; n < wanted; n += 1)
        if (write(peers[n], frame, size) != size) return 1;
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%ld\n", (to.tv_sec - from.tv_sec) * 1000000L + (to.tv_nsec - from.tv_nsec) / 1000L);
    fflush(stdout);
  }
  return 0;
}
