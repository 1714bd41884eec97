/*
 * The floor: what receiving conntrack events costs when nothing is done with them. Takes all there is with recvmmsg, naps 2 ms,
 * and so on; no recorder that reads a netlink socket can cost less. SIGTERM: drain, print the counts, end.
 *
 * usage: floor BUFFER_KIB
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define BATCH 1024
#define SLOT_BYTES 512
#define GROUP_NEW 1
#define GROUP_DESTROY 3
#define MEMINFO 55
#define MEMINFO_WORDS 9
#define MEMINFO_DROPS 8

static volatile sig_atomic_t stopping;
static char slots[BATCH][SLOT_BYTES];
static struct iovec vectors[BATCH];
static struct mmsghdr headers[BATCH];

static void stop(int number) { stopping = number; }

static void need(int holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
  need(fd >= 0, "socket");
  int bytes = (argc > 1 ? atoi(argv[1]) : 8192) * 1024, on = 1;
  need(!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes), "SO_RCVBUFFORCE");
  need(!setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on), "NETLINK_NO_ENOBUFS");
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  need(!bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
  int groups[] = {GROUP_NEW, GROUP_DESTROY};
  for (int i = 0; i < 2; i++)
    need(!setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof groups[i]), "join");
  for (int i = 0; i < BATCH; i++) {
    vectors[i] = (struct iovec){slots[i], SLOT_BYTES};
    headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  signal(SIGTERM, stop);
  signal(SIGINT, stop);

  unsigned long received = 0;
  const struct timespec nap = {0, 2000000};
  for (;;) {
    int stop_after_this = stopping, count;
    while ((count = recvmmsg(fd, headers, BATCH, 0, NULL)) > 0) received += count;
    if (stop_after_this) break;
    nanosleep(&nap, NULL);
  }
  unsigned info[MEMINFO_WORDS];
  socklen_t length = sizeof info;
  memset(info, 0, sizeof info);
  need(!getsockopt(fd, SOL_SOCKET, MEMINFO, info, &length), "SO_MEMINFO");
  printf("received=%lu dropped=%u\n", received, info[MEMINFO_DROPS]);
  return 0;
}
