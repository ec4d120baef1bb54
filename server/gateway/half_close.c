#include "server/gateway/half_close.h"

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 512, PAUSE_MS = 100 };

/* Makes edges; returns false at the end. */
static bool take_events(struct annals_half_close *self) {
  struct epoll_event events[EVENTS_AT_ONCE];
  bool goes_on = true;
  pthread_mutex_lock(&self->lock);
  /* Asked for under the lock: of these sockets none has been closed. */
  int count = epoll_wait(self->epoll, events, EVENTS_AT_ONCE, 0);
  for (int i = 0; i < count; i++) {
    if (events[i].data.fd == self->end) {
      goes_on = false;
    } else {
      shutdown(events[i].data.fd, SHUT_RD);
    }
  }
  pthread_mutex_unlock(&self->lock);
  return goes_on;
}

static void *run(void *context) {
  struct annals_half_close *self = context;
  struct pollfd any = {.fd = self->epoll, .events = POLLIN};
  struct pollfd end = {.fd = self->end, .events = POLLIN};
  for (;;) {
    poll(&any, 1, -1);
    if (!take_events(self)) {
      return NULL;
    }
    poll(&end, 1, PAUSE_MS); /* what is not closed by then may not have been read, or is answered */
  }
}

static bool watch(const struct annals_half_close *self, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  return epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void close_both(const struct annals_half_close *self) {
  if (self->epoll >= 0) {
    close(self->epoll);
  }
  if (self->end >= 0) {
    close(self->end);
  }
}

bool annals_half_close_start(struct annals_half_close *self) {
  self->epoll = epoll_create1(EPOLL_CLOEXEC);
  self->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_mutex_init(&self->lock, NULL);
  if (self->epoll < 0 || self->end < 0 || !watch(self, self->end, EPOLLIN) ||
      pthread_create(&self->thread, NULL, run, self) != 0) {
    pthread_mutex_destroy(&self->lock);
    close_both(self);
    return false;
  }
  pthread_setname_np(self->thread, "annals-ends");
  return true;
}

void annals_half_close_stop(struct annals_half_close *self) {
  eventfd_write(self->end, 1);
  pthread_join(self->thread, NULL);
  pthread_mutex_destroy(&self->lock);
  close_both(self);
}

void annals_half_close_add(struct annals_half_close *self, int socket) {
  (void)watch(self, socket, EPOLLRDHUP);
}

void annals_half_close_remove(struct annals_half_close *self, int socket) {
  pthread_mutex_lock(&self->lock);
  epoll_ctl(self->epoll, EPOLL_CTL_DEL, socket, NULL);
  pthread_mutex_unlock(&self->lock);
}
