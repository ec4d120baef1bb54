#include "tests/crash/fault_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PIECE_BYTES = 16384 };

static char state[FAULT_PATH_MAX / 2];
static long journal = -1;
static long saved_count;
static long sync_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void fault_journal_init(const char *state_dir) {
  char path[FAULT_PATH_MAX];
  snprintf(state, sizeof state, "%s", state_dir);
  snprintf(path, sizeof path, "%s/journal", state);
  journal = syscall(SYS_open, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) {
    fprintf(stderr, "fault layer: %s cannot be opened\n", path);
    abort();
  }
}

void fault_journal_lock(void) {
  pthread_mutex_lock(&lock);
}

void fault_journal_unlock(void) {
  pthread_mutex_unlock(&lock);
}

/* A journal with a hole would have the tests pass for the wrong reason. */
static void append(const char *bytes, size_t size) {
  if (syscall(SYS_write, journal, bytes, size) != (long)size) {
    fprintf(stderr, "fault layer: the journal cannot be written\n");
    abort();
  }
}

void fault_journal_note(const char *format, ...) {
  char line[2 * FAULT_PATH_MAX + 128];
  va_list args;
  va_start(args, format);
  int size = vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  line[size++] = '\n';
  append(line, (size_t)size);
}

static void note_piece(ino_t inode, off_t offset, const unsigned char *bytes, long size) {
  static const char digits[] = "0123456789abcdef";
  char line[2 * PIECE_BYTES + 64];
  int at = snprintf(line, sizeof line, "old %lu %ld ", (unsigned long)inode, (long)offset);
  for (long i = 0; i < size; i++) {
    line[at++] = digits[bytes[i] >> 4];
    line[at++] = digits[bytes[i] & 15];
  }
  line[at++] = '\n';
  append(line, (size_t)at);
}

void fault_journal_note_old(int fd, off_t begin, off_t end) {
  struct stat stat;
  unsigned char piece[PIECE_BYTES];
  char path[64];
  if (fstat(fd, &stat) != 0 || begin >= stat.st_size) {
    return;
  }
  /* The descriptor may be for writing only. */
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  long reader = syscall(SYS_open, path, O_RDONLY | O_CLOEXEC);
  for (off_t at = begin; at < end && at < stat.st_size;) {
    off_t rest = (end < stat.st_size ? end : stat.st_size) - at;
    long size = syscall(SYS_pread64, reader, piece, rest < PIECE_BYTES ? rest : PIECE_BYTES, at);
    if (size <= 0) {
      fprintf(stderr, "fault layer: what is overwritten cannot be read\n");
      abort();
    }
    note_piece(stat.st_ino, at, piece, size);
    at += size;
  }
  syscall(SYS_close, reader);
}

void fault_journal_save(const char *path, char *ret_name, size_t size) {
  char to[FAULT_PATH_MAX];
  snprintf(ret_name, size, "saved-%ld", saved_count++);
  snprintf(to, sizeof to, "%s/%s", state, ret_name);
  if (syscall(SYS_link, path, to) != 0) {
    if (errno != ENOENT) {
      fprintf(stderr, "fault layer: %s cannot be linked to %s\n", path, to);
      abort();
    }
    snprintf(ret_name, size, "-");
  }
}

long fault_journal_next_sync(void) {
  return sync_count++;
}
